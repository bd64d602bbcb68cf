interface Step {
  readonly chinese: string;
  readonly english: string;
  readonly lines: readonly string[];
}

const token = "signature/tagmanifest-sha256.txt.tst";

function stepsWith(logKey: string): readonly Step[] {
  return [
    {
      chinese: "每个文件都在，且一字节未变（SHA-256，SHA-512）。没有输出即为通过：",
      english: "Every file is there, and no byte of it was changed (SHA-256, SHA-512). No output means passed:",
      lines: [
        "sha256sum --quiet -c manifest-sha256.txt tagmanifest-sha256.txt",
        "sha512sum --quiet -c manifest-sha512.txt tagmanifest-sha512.txt",
      ],
    },
    {
      chinese: "没有多出的文件：",
      english: "No file was added:",
      lines: ['test "$(find data -type f | wc -l)" -eq "$(wc -l < manifest-sha256.txt)" && echo OK'],
    },
    {
      chinese: "国密 SM3 摘要（需要 OpenSSL 1.1.1 以上）：",
      english: "SM3 digests (OpenSSL 1.1.1 or later):",
      lines: [
        "cut -c67- sm3-digests.txt | tr '\\n' '\\0' | xargs -0 openssl dgst -sm3 -r | sed 's/ [*]/  /' | diff - sm3-digests.txt && echo OK",
      ],
    },
    {
      chinese: "导出单位对整个文件包的签名：",
      english: "The signature of whoever exported, over the whole bag:",
      lines: [
        "openssl cms -verify -binary -inform DER -in signature/tagmanifest-sha256.txt.p7s -content tagmanifest-sha256.txt -CAfile keys/export-root.pem -out /dev/null",
      ],
    },
    {
      chinese: "对整个文件包的可信时间戳（RFC 3161），以及它所载的时间：",
      english: "The trusted timestamp (RFC 3161) over the whole bag, and the time that it tells:",
      lines: [
        `openssl ts -verify -token_in -in ${token} -data tagmanifest-sha256.txt -CAfile keys/timestamp-roots.pem`,
        `openssl ts -reply -token_in -in ${token} -text | grep "Time stamp"`,
      ],
    },
    {
      chinese: "每个原始文件的摘要、固定时间戳，以及在保管链日志中的位置（逐个核对回执）：",
      english: "Digests and timestamp of each original and its place in the custody log, by its receipt:",
      lines: [
        `(for receipt in data/receipts/*.json; do id=$(basename "$receipt" .receipt.json); sh verify-receipt.sh "$receipt" "$(find data -path "data/[ot]*/$id/*" -type f)" keys/timestamp-roots.pem${logKey} || exit 1; done)`,
      ],
    },
  ];
}

/** VERIFY.txt: Chinese, then English; every line that is indented is typed into a shell in the bag's folder. */
export function verifyText({ oneLogKey }: { oneLogKey: boolean }): string {
  // A log whose key was changed has receipts signed by several: then each receipt's own is taken.
  const steps = stepsWith(oneLogKey ? " keys/log.vkey" : "");
  const lines = (step: Step): string => step.lines.map((line) => `    ${line}\n`).join("");
  const chinese = steps.map((step, at) => `${at + 1}. ${step.chinese}\n\n${lines(step)}\n`).join("");
  const english = steps.map((step, at) => `${at + 1}. ${step.english}\n\n${lines(step)}\n`).join("");
  return `如何核验本文件包

在任何一台装有 sha256sum 和 openssl 的计算机上，于本文件夹内打开终端，逐行输入下列命令。无需联网，无需安装 dockseal。

${chinese}以上命令使用随包附带的 keys/ 中的密钥和证书。要确认它们属于谁，请与从其他途径（例如办案单位的公告、监督机关）取得的相核对。
也可以用浏览器打开 verify.html，选择回执和文件进行核验，同样无需联网。
保管链（data/custody）的每一条记录都能用 log/checkpoint 证明，格式见 https://c2sp.org/tlog-proof ；装有 dockseal 的计算机上用一条命令全部核验：dockseal verify <本文件夹> --trust <信任文件>。


How to verify this bag

On any computer that has sha256sum and openssl: open a terminal in this folder and type the lines below. Nothing is fetched from a network, and dockseal is not needed.

${english}These lines use the keys and certificates in keys/, which came with the bag. To know whose they are, compare them with what you get from elsewhere, such as the agency's publication or the supervising bureau.
You can also open verify.html in a browser and choose a receipt and a file; it needs no network either.
Every record of the chain of custody (data/custody) is proven by log/checkpoint, in the format of https://c2sp.org/tlog-proof ; where dockseal is installed, one command verifies everything: dockseal verify <this folder> --trust <trust file>.
`;
}
