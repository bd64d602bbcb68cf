/** Chinese first, English second: everything that the page says. */
export interface Words {
  readonly zh: string;
  readonly en: string;
}

const words = (zh: string, en: string): Words => ({ zh, en });

/** What each check of src/verify finds out. */
export const CHECKS: ReadonlyMap<string, Words> = new Map([
  // receipts
  ["receipt-format", words("回执格式正确", "The receipt is well formed")],
  ["entry", words("日志条目记录的是本文件的固定", "The log entry is about the sealing of this clip")],
  ["inclusion-proof", words("该条目确在保管链日志中", "The entry stands in the custody log")],
  ["checkpoint-signature", words("日志检查点由回执所载密钥签名", "The checkpoint is signed by the key in the receipt")],
  ["log-key-trusted", words("该日志密钥在信任文件中", "The log's key is one that is trusted here")],
  ["opening", words("固定详情与日志所承诺的一致", "These are the details that were logged")],
  ["manifest-format", words("固定清单格式正确", "The seal manifest is well formed")],
  ["manifest", words("固定清单与日志所载一致", "The manifest is the one that was logged")],
  ["timestamp-token", words("固定清单有有效的可信时间戳", "A timestamp was given for the manifest")],
  ["timestamp-logged", words("时间戳与日志所载一致", "The timestamp is the one that was logged")],
  ["timestamp-authority-trusted", words("时间戳机构在信任文件中", "The timestamp authority is trusted here")],
  ["timestamp-independent", words("时间戳机构独立于日志保管者", "The authority is independent of the log's keeper")],
  ["checkpoint-witnessed", words("检查点有足够的可信见证人联署", "Enough trusted witnesses cosigned the checkpoint")],
  ["timestamp-renewals", words("时间戳按时逐次续期", "The timestamp was renewed in time, each over the one before")],
  ["timestamp-current", words("时间戳机构的证书仍在有效期内", "The authority's certificate is still valid")],
  ["retention", words("存储锁定期超过固定时间", "The store keeps it locked beyond the sealing")],
  ["file-size", words("文件大小与固定时一致", "The file's size is what was sealed")],
  ["file-sha256", words("文件的 SHA-256 与固定时一致", "The file's SHA-256 is what was sealed")],
  ["file-sm3", words("文件的 SM3（国密）与固定时一致", "The file's SM3 is what was sealed")],
  ["file-chunk-root", words("文件分块树根与固定时一致", "The root over the file's chunks is what was sealed")],
  // seal bundles
  ["bundle-format", words("签名包格式正确", "The seal bundle is well formed")],
  ["log-entry", words("日志条目公布了该摘要和签名", "The log entry publishes this digest and signature")],
  ["key-hint", words("条目中的密钥即签名包所指的密钥", "The key in the entry is the one that is named")],
  ["signature", words("签名由该密钥对本文件摘要作出", "The signature is by that key over this digest")],
  ["seal-key-trusted", words("签名密钥在信任文件中", "The seal key is one that is trusted here")],
]);

export const SAID = {
  passed: words("通过", "Passed"),
  failed: words("未通过", "Failed"),
  incomplete: words("尚未完成", "Incomplete"),
  notChecked: words("未核对", "Not checked"),
  receipt: words("回执", "Receipt"),
  sealBundle: words("签名包", "Seal bundle"),
  strayFile: words("文件", "File"),
  noReceiptFor: words(
    "放入的回执都不是这个文件的。请放入它的回执，或者文件已被改动。",
    "None of the receipts is for this file. Drop its receipt; or the file was changed.",
  ),
  allGood: words(
    "文件与固定时完全一致，回执的每一环都成立。",
    "The file is exactly what was sealed, and every link of the receipt holds.",
  ),
  bad: words(
    "有一项或多项不成立。不要依据这份材料；请保留原样并告知审计人员。",
    "At least one check does not hold. Do not rely on this material; keep it as it is, and tell the auditor.",
  ),
  dropFile: words(
    "回执本身成立，但还没有核对文件：请把原始文件也放进来。",
    "The receipt holds, but no file was compared with it: drop the original as well.",
  ),
  noTrust: words(
    "密钥来自回执本身。放入从其他途径取得的信任文件（trust.json），才能核对是谁的密钥。",
    "The keys came with the receipt. Drop a trust file (trust.json) that you got by another way to check whose they are.",
  ),
  trustUsed: words("已使用信任文件", "Trust file in use"),
  trustRefused: words("信任文件不可用", "The trust file cannot be used"),
  unreadable: words("文件无法读取", "The file cannot be read"),
  reading: words("正在读取", "Reading"),
  sealedAt: words("固定时间（UTC）", "Sealed at (UTC)"),
  pairedWith: words("核对的文件", "Compared with"),
  broken: words("本浏览器无法完成核验", "This browser cannot check it"),
} as const;
