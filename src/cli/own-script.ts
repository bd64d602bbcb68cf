/** The script that this process runs, `dockseal` itself: built, or the source. A command that needs another starts it. */
export const ownScript = process.argv[1] ?? "";
