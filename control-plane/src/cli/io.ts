/** What a command needs from the process it runs in; tests bring their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  stdout(text: string): void;
  stderr(text: string): void;
  /** UTC ms. */
  now(): number;
  /** ms that never go backwards. */
  monotonic(): number;
  /** Runs a Node program in the foreground, hands it our signals, and resolves with its exit code. */
  run(file: string, args: readonly string[]): Promise<number>;
  /** Resolves at the first SIGINT or SIGTERM. */
  interrupted(): Promise<void>;
}
