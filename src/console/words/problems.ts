/** What is wrong, and what to do about it. */
export interface ProblemWords {
  readonly title: string;
  readonly advice: string;
}

const words = (title: string, advice: string): ProblemWords => ({ title, advice });
const later = "请稍后再试；一直如此请联系管理员。";
const tellOperator = "请把请求编号告诉管理员。";

/** Problems of the API (docs/problems.md) that somebody at the console can meet, in Chinese. */
const problemsZh: Readonly<Record<string, ProblemWords>> = {
  // who may speak
  "sign-in-failed": words("登录失败", "用户名或密码不正确。请重新输入；忘记密码请联系管理员重置。"),
  "too-many-requests": words("请求过于频繁", "请稍候一分钟再试。"),
  "authentication-required": words("登录已失效", "请重新登录。"),
  "csrf-token-missing": words("登录状态已变化", "请刷新页面后重试；仍不行请重新登录。"),
  forbidden: words("没有权限", "您的角色不能进行此操作，请联系本单位管理员。"),
  "purpose-required": words("请先说明调阅目的", "目的记入保管链之后才能调阅。请刷新页面，重新说明。"),
  "other-organization": words("属于其他单位", "该执法记录仪登记在其他单位，请联系管理员办理转移。"),
  // shape of a request
  "not-found": words("没有找到", "内容不存在，或不属于您的单位。"),
  "malformed-request": words("请求有误", "请刷新页面后重试；仍不行请联系管理员。"),
  "malformed-field": words("填写有误", "请更正提示的内容后再提交。"),
  "unknown-field": words("页面与服务器版本不一致", "请刷新页面后重试。"),
  "unsupported-media-type": words("页面与服务器版本不一致", "请刷新页面后重试。"),
  "body-too-large": words("内容过长", "请缩短填写的内容后再提交。"),
  "precondition-required": words("页面与服务器版本不一致", "请刷新页面后重试。"),
  "precondition-failed": words("内容已被他人更改", "请刷新页面，在最新内容上再作更正。"),
  conflict: words("已经存在", "已有相同的内容，请先查找再操作。"),
  "range-not-satisfiable": words("读取位置超出文件", "请从头重新播放。"),
  // the machine behind
  "store-unavailable": words("证据存储暂时不可用", later),
  "store-full": words("证据存储已满", "请联系管理员扩充存储。"),
  "database-unavailable": words("数据库暂时不可用", later),
  "queue-unavailable": words("任务队列暂时不可用", "任务没有丢失，恢复后自动继续。"),
  "too-many-streams": words("打开的页面过多", "请关闭一些本系统的页面；列表可手动刷新。"),
  "shutting-down": words("服务器正在停止或重启", "请稍候再试。"),
  "object-exists": words("服务器内部错误", tellOperator),
  "object-missing": words("存储中没有这个文件", "数据库有记录而存储中没有，请立即告知审计人员和管理员。"),
  "object-locked": words("存储锁定中", "保存期限或冻结解除之前不能删除或缩短。"),
  "object-differs": words("存储的内容与接收时不一致", "文件已隔离，请告知审计人员。"),
  // proof
  "not-sealed-yet": words("尚未固定", "回执在固定完成后才有，请稍后再试。"),
  "no-seal-bundle": words("没有签名包", "文本、过短的文件和旧版本固定的文件没有签名包；回执有同样的证明力。"),
  quarantined: words("文件已隔离", "存储的内容与固定时不一致，请告知审计人员。"),
  "nothing-to-audit": words("没有可巡检的文件", "这一范围内还没有固定的文件，请稍后再试。"),
  "no-playback": words("没有可播放的副本", "副本还没有生成或无法生成，可下载原件查看。"),
  "timestamp-rejected": words("时间戳被拒绝", "时间戳机构的答复没有通过检查，请联系管理员。"),
  "timestamp-unavailable": words("时间戳机构暂时不可用", "恢复后自动继续固定，不需要操作。"),
  "malformed-proof": words("不是有效的证明", "放入的文件不是回执、证明或信任文件，或已损坏。"),
  "proof-rejected": words("证明不成立", "不要依据这份材料，请保留原样并告知审计人员。"),
  "log-rolled-back": words("保管链日志被回退", "数据库比已给出的检查点旧，请立即告知审计人员和管理员。"),
  "log-forked": words("保管链日志出现分叉", "日志与已签名的不同，请立即告知审计人员和管理员，保留所有备份。"),
  "log-behind": words("保管链日志尚未跟上", "有事件还在等待写入日志，请稍后再试；一直如此请联系管理员。"),
  // export
  "export-refused": words("不能导出", "请看下面的原因，处理后再导出。"),
  "export-not-done": words("导出尚未完成", "请等待导出完成后再下载。"),
  "export-removed": words("导出包已清除", "导出包只保留一段时间，请重新导出。"),
  // derive
  "media-tool-failed": words("视音频工具出错", "无法读取这段录像；原件照常保存。"),
  "sandbox-unavailable": words("没有转码沙箱", "请联系管理员安装 bubblewrap。"),
  internal: words("服务器内部错误", tellOperator),
};

/** In English the API's own words serve, but where they are said to a program. */
const problemsEn: Readonly<Record<string, ProblemWords>> = {
  "too-many-requests": words("Too many requests", "Wait a minute, then try again."),
  "authentication-required": words("Signed out", "Sign in again."),
  "csrf-token-missing": words("Your sign-in has changed", "Load the page again, or sign in again."),
  forbidden: words("Not allowed", "Your role does not allow this. Ask an administrator."),
  "purpose-required": words(
    "Say first what you view it for",
    "A clip is shown once the purpose is in its chain of custody. Reload the page and say it again.",
  ),
  "not-found": words("Not found", "It does not exist, or belongs to another organization."),
  "malformed-request": words("Something is wrong with the request", "Load the page again, then try again."),
  "malformed-field": words("Something is filled in wrongly", "Correct it and send it again."),
  "unknown-field": words("The page is of another version than the server", "Load the page again."),
  "unsupported-media-type": words("The page is of another version than the server", "Load the page again."),
  "precondition-required": words("The page is of another version than the server", "Load the page again."),
  "precondition-failed": words("Somebody changed it meanwhile", "Load the page again, then correct it."),
  conflict: words("Exists already", "There is one like it already: look for it first."),
  "store-unavailable": words("The evidence store is away", "Try again in a moment."),
  "database-unavailable": words("The database is away", "Try again in a moment."),
  "shutting-down": words("The server is stopping or starting", "Try again in a moment."),
  "not-sealed-yet": words("Not sealed yet", "There is a receipt once it is sealed. Try again later."),
  quarantined: words("In quarantine", "What is stored differs from what was sealed. Tell the auditor."),
  internal: words("Fault of the server", "Tell the administrator the number of the request."),
};

/** @returns undefined for a code that the console does not know: the API's own words serve then. */
export function problemWords(code: string, language: string): ProblemWords | undefined {
  const known = language === "en" ? problemsEn : problemsZh;
  return Object.hasOwn(known, code) ? known[code] : undefined;
}
