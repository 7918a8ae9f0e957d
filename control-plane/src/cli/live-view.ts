/** What goes on, live until it is over: drawn over on a screen, a line each change elsewhere. Rollouts and experiments use it. */
import { jsonLine, printable } from "../printable.ts";
import type { Io } from "./io.ts";

/**
 * Looks until it is over, or somebody interrupts.
 * @param every ms between looks.
 * @param view.whole all of it, for a screen; view.line in one line, for a log.
 * @returns what was seen last.
 */
export async function followUntilOver<T extends { readonly endedAt: string | null }>(
  io: Io,
  json: boolean,
  every: number,
  view: { look: () => Promise<T>; whole: (now: T) => string; line: (now: T) => string },
): Promise<T> {
  const show = json ? lines(io, jsonLine) : io.screen ? screen(io, view.whole) : lines(io, view.line);
  let stopped = false;
  const stop = io.interrupted().then(() => {
    stopped = true;
  });
  for (;;) {
    const now = await view.look();
    show(now);
    if (now.endedAt !== null) return now;
    await Promise.race([io.pause(every), stop]);
    if (stopped) return now;
  }
}

/** Draws over what it drew before. */
function screen<T>(io: Io, whole: (now: T) => string): (now: T) => void {
  let drawn = 0;
  return (now) => {
    const text = printable(whole(now));
    const up = drawn === 0 ? "" : `\u001b[${drawn}A\u001b[J`;
    io.stdout(`${up}${text}`);
    drawn = text.split("\n").length - 1;
  };
}

/** A line where it says something new. */
function lines<T>(io: Io, say: (now: T) => string): (now: T) => void {
  let before = "";
  return (now) => {
    const text = say(now);
    if (text !== before) io.stdout(`${text}\n`);
    before = text;
  };
}
