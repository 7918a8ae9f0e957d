/** What a command needs from the process it runs in; tests bring their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whether somebody reads along: what is not the answer is then told in words. */
  readonly terminal: boolean;
  /** Whether the answer goes to a terminal, where it may be drawn anew. */
  readonly screen: boolean;
  /** How wide that terminal is now, in characters. */
  columns(): number;
  /** Resolves after so many ms. */
  pause(ms: number): Promise<void>;
  /** UTC ms. */
  now(): number;
  /** ms that never go backwards. */
  monotonic(): number;
  /**
   * Runs a Node program, hands it our signals, and resolves with its exit code.
   * @param stdout whether what it answers is our answer, or news beside ours.
   * @param env added to ours.
   */
  run(
    file: string,
    args: readonly string[],
    stdout: "answer" | "news",
    env?: Readonly<Record<string, string>>,
  ): Promise<number>;
  /** Resolves at the first SIGINT or SIGTERM. */
  interrupted(): Promise<void>;
}
