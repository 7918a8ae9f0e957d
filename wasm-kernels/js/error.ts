/** What kind of fault it was: the first seven are the caller's input, the last two the caller's use of this room. */
export type KernelErrorCode =
  | "bad-shape"
  | "bad-names"
  | "bad-alpha"
  | "reference-malformed"
  | "snapshot-malformed"
  | "abi-mismatch"
  | "reference-mismatch"
  | "freed"
  | "unavailable";

const codes: ReadonlySet<string> = new Set<KernelErrorCode>([
  "bad-shape",
  "bad-names",
  "bad-alpha",
  "reference-malformed",
  "snapshot-malformed",
  "abi-mismatch",
  "reference-mismatch",
  "freed",
  "unavailable",
]);

/** A refused input or a module that could not be loaded. */
export class KernelError extends Error {
  override readonly name = "KernelError";
  readonly code: KernelErrorCode;

  constructor(code: KernelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Runs `call`; an error that Rust spelled `code: text` is thrown as KernelError, any other as it is. */
export function translated<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const [, code, text] = /^([a-z-]+): (.*)$/s.exec(error instanceof Error ? error.message : "") ?? [];
    if (code === undefined || text === undefined || !codes.has(code)) throw error;
    throw new KernelError(code as KernelErrorCode, text, { cause: error });
  }
}
