/** A module of one function, `v128.const 0; drop`: valid exactly where fixed-width SIMD is. */
const probe = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version 1
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00], // one type: () → ()
  ...[0x03, 0x02, 0x01, 0x00], // one function of it
  ...[0x0a, 0x17, 0x01, 0x15, 0x00, 0xfd, 0x0c, ...new Uint8Array(16), 0x1a, 0x0b], // its body
]);

/** Whether this engine runs the SIMD build. */
export function supportsSimd(): boolean {
  return WebAssembly.validate(probe);
}
