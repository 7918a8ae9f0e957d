/** A command that did what it was asked, and found what the caller wants to be told by the exit code. */
export class Finding extends Error {
  override readonly name = "Finding";
  readonly exitCode: number;
  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
