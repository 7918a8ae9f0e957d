/** What goes on, live until it is over: drawn over on a screen, a line each change elsewhere. Rollouts and experiments use it. */
import { codeOf, type ErrorCode, messageOf } from "@vedette/protocol/errors";
import { jsonLine, printable } from "../printable.ts";
import type { Io } from "./io.ts";

/** A control plane that is restarted, as long as it takes. */
const passing: readonly ErrorCode[] = ["offline", "timeout", "busy", "rate_limited"];

/**
 * Looks until it is over, or somebody interrupts. Where the control plane was there once and does not answer, that is told once,
 * to stderr, and it is asked again: whoever watches over night finds the end in the morning.
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
  const begin = () => (json ? lines(io, jsonLine) : io.screen ? screen(io, view.whole) : lines(io, view.line));
  let show = begin();
  let stopped = false;
  const stop = io.interrupted().then(() => {
    stopped = true;
  });
  let now = await view.look();
  let away = false;
  for (;;) {
    if (!away) show(now);
    if (now.endedAt !== null || stopped) return now;
    await Promise.race([io.pause(every), stop]);
    if (stopped) return now;
    try {
      now = await view.look();
      away = false;
    } catch (error) {
      if (!passing.includes(codeOf(error))) throw error;
      if (!away) tellAway(io, json, error);
      away = true;
      // What was drawn is above that line now.
      show = begin();
    }
  }
}

function tellAway(io: Io, json: boolean, error: unknown): void {
  const [code, message] = [codeOf(error), messageOf(error)];
  const text = `vedette: ${message}; it is asked again until it answers\n`;
  io.stderr(json ? `${jsonLine({ error: { code, message } })}\n` : printable(text));
}

/** Draws over what it drew before. */
function screen<T>(io: Io, whole: (now: T) => string): (now: T) => void {
  let drawn = "";
  return (now) => {
    const text = printable(whole(now));
    const up = drawn === "" ? "" : `\u001b[${rowsOf(drawn, io.columns())}A\u001b[J`;
    io.stdout(`${up}${text}`);
    drawn = text;
  };
}

/** Of what was drawn, as it stands on a terminal that is so wide by now: a longer line is broken. @param text lines, ended. */
function rowsOf(text: string, columns: number): number {
  const lines = text.split("\n").slice(0, -1);
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil([...line].length / columns)), 0);
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
