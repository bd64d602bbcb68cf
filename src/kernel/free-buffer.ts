/**
 * Gives the memory of a large buffer back at once. It lies outside of V8's heap, which is collected as a whole only now
 * and then: eight uploads of parts left 250 MiB of buffers behind that nobody used any more. The buffer is empty after.
 * @param buffer made with `Buffer.allocUnsafeSlow`: one that has its memory for itself.
 */
export function freeBuffer(buffer: Buffer): void {
  if (buffer.buffer instanceof ArrayBuffer && !buffer.buffer.detached) buffer.buffer.transfer(0);
}
