/**
 * What Node is started with for `dockseal serve`. V8 begins with small limits and answers the memory of bodies under
 * way, which is outside of its heap, with collections of the whole heap; with a larger limit to begin with it leaves
 * them be (src/store/young-garbage.ts has the figures). The memory is not taken before it is needed.
 */
export const serveFlags: readonly string[] = ["--initial-heap-size=256"];
