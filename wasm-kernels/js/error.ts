const codes = [
  // The first eight are Rust's, and mean that an input is refused; the last two come from the loader and its handles.
  "bad-shape",
  "bad-features",
  "bad-option",
  "passes-differ",
  "reference-malformed",
  "snapshot-malformed",
  "abi-mismatch",
  "reference-mismatch",
  "freed",
  "unavailable",
] as const;

/** What kind of fault it was. */
export type KernelErrorCode = (typeof codes)[number];

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
    const [, spelled, text] = /^([a-z-]+): (.*)$/s.exec(error instanceof Error ? error.message : "") ?? [];
    const code = codes.find((known) => known === spelled);
    if (code === undefined || text === undefined) throw error;
    throw new KernelError(code, text, { cause: error });
  }
}
