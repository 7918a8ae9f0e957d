/**
 * The few globals that Node and every browser share and that portable rooms may use. Declared here, instead of taking
 * the DOM or Node types, so that a portable file which reaches for a platform does not compile.
 */
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}
declare class TextDecoder {
  constructor(label?: "utf-8", options?: { fatal?: boolean });
  decode(bytes: Uint8Array): string;
}
/** Bytes of base64 as a string of one character each. Throws where the text is not base64. */
declare function atob(base64: string): string;
/** Base64 of a string of one character a byte. */
declare function btoa(binary: string): string;
