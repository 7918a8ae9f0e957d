/** `vedette signer run`: looks, tells what it did, and leaves a control plane that fails alone for longer each time. */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { backoffMs } from "../backoff.ts";
import { jsonLine, printable } from "../printable.ts";
import type { Signer, SignerEvent } from "../signer/run-signer.ts";
import type { SignerHome, SignerStatus } from "../signer/signer-home.ts";
import type { Context } from "./context.ts";
import { Finding } from "./finding.ts";

type Running = Signer & {
  readonly home: SignerHome;
  /** In [0, 1). */
  readonly random: () => number;
};

/** That `--once` ends with where something was refused. */
const refused = 3;
const failures = { firstMs: 5_000, longestMs: 300_000 };

/** @throws Finding where something was refused; and as `Signer.look` does. */
export async function runOnce(context: Context, signer: Running): Promise<void> {
  const events = await look(context, signer);
  const lines = events.map((event) => `${describe(event)}\n`).join("");
  context.answer({ events }, events.length === 0 ? "Nothing to sign.\n" : lines);
  const first = events.find(({ outcome }) => outcome === "refused");
  if (first) throw new Finding(refused, `release ${first.release} was refused`);
}

/** Until it is interrupted. */
export async function runLoop(context: Context, signer: Running, everyMs: number): Promise<void> {
  const { io } = context;
  let stopped = false;
  const stop = io.interrupted().then(() => {
    stopped = true;
  });
  const tell = (value: object, text: string) =>
    io.stdout(context.json ? `${jsonLine(value)}\n` : `${printable(text)}\n`);
  let failed = 0;
  do {
    let wait = everyMs * (0.5 + signer.random());
    try {
      for (const event of await look(context, signer)) tell(event, describe(event));
      failed = 0;
    } catch (error) {
      wait = backoffMs(failed++, failures, signer.random);
      const why = messageOf(error);
      // Told when it begins: a control plane that is away for a night is one line.
      if (failed === 1) tell({ outcome: "failed", code: codeOf(error), why }, `failed, and tried again: ${why}`);
    }
    // In small steps, so that an interruption is heard soon.
    for (let waited = 0; waited < wait && !stopped; waited += 1000) await Promise.race([io.pause(1000), stop]);
  } while (!stopped);
}

/** What came of it is also noted for `signer status`. */
async function look(context: Context, { home, look: ask }: Running): Promise<SignerEvent[]> {
  const at = () => new Date(context.io.now()).toISOString();
  try {
    const events = await ask();
    const last = events.at(-1);
    const { outcome = "idle", release = null, version = null, why = "" } = last ?? {};
    await note(context, home, (before) =>
      // Nothing new: what was said before still holds, at a later moment.
      !last && before && before.outcome !== "failed"
        ? { ...before, at: at() }
        : { at: at(), outcome, release, version, why },
    );
    return events;
  } catch (error) {
    const why = messageOf(error);
    await note(context, home, () => ({ at: at(), outcome: "failed", release: null, version: null, why }));
    throw error;
  }
}

/** A status that cannot be written is told, and hides neither what was signed nor what failed. */
async function note(
  { io }: Context,
  home: SignerHome,
  statusAfter: (before: SignerStatus | undefined) => SignerStatus,
): Promise<void> {
  try {
    await home.writeStatus(statusAfter(await home.status()));
  } catch (error) {
    io.stderr(`signer status is not up to date: ${messageOf(error)}\n`);
  }
}

function describe({ outcome, release, version, digest, why }: SignerEvent): string {
  const what = `release ${release}${version === null ? "" : ` (version ${version})`} ${digest.slice(0, 12)}`;
  return `${outcome} ${what}${why === "" ? "" : `: ${why}`}`;
}
