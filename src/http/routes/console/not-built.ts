/** Shown instead of the console while there is none. */
export const notBuiltPage = `<!doctype html>
<html lang="zh-CN">
<head><meta charset="utf-8"><title>dockseal</title></head>
<body>
<h1>控制台尚未构建</h1>
<p>请在安装目录中运行 <code>npm run build</code>，然后刷新本页。接口不受影响，说明见 <a href="/api/docs">/api/docs</a>。</p>
<h1 lang="en">The console is not built yet</h1>
<p lang="en">Type <code>npm run build</code> in the directory of the installation and load this page again. The API works all the same: see <a href="/api/docs">/api/docs</a>.</p>
</body>
</html>
`;
