/**
 * A process that holds little memory, for devices that have little. glibc gives threads arenas that it hardly ever gives
 * back, and V8 lets its young generation grow to 128 MB: `docs/decisions/0021` has what both cost. They are read
 * when a process starts, so the command starts over as itself.
 */

export const leanFlags: readonly string[] = ["--max-semi-space-size=8"];
export const leanEnv: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "2" };

/** Returns in a process that is lean, or that someone set up otherwise; else never: the same process starts anew. */
export function becomeLean(): void {
  if (process.platform !== "linux" || !process.execve || process.env.MALLOC_ARENA_MAX !== undefined) return;
  const argv = [process.execPath, ...leanFlags, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, argv, { ...process.env, ...leanEnv });
}
