/**
 * Runs the second version over rows that the answering one had, as many at a time as it takes, and says what it makes of them.
 * `ask-beside.ts` says when.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { messageOf } from "@vedette/protocol/errors";
import type { ModelInputs } from "@vedette/protocol/tensors";
import type { Clock, Ports, Session } from "../ports.ts";
import { inputCheckOf } from "../serve/check-input.ts";
import { decodeOutputs, type ModelAnswer, neededOutputs } from "../serve/decode-outputs.ts";
import { feederOf, fixedBatch } from "../serve/feeds.ts";
import { sliceInputs } from "../serve/join-inputs.ts";
import type { RunTook } from "../serve/run-queue.ts";
import type { Side } from "./pair-tally.ts";

/** Rows at a time, where the graph does not say. */
const usualBatch = 32;
const hangs = Symbol("hangs");

export interface BesideAnswer {
  readonly side: Side;
  /** Whether both versions told their runs' own time, so that those are compared. */
  readonly own: boolean;
  /** A run of it did not end. */
  readonly hangs: boolean;
}

/**
 * @param options.hangMs a run that did not end after so long is waited for `slackMs` more, and hangs.
 * @param options.closed whether nobody wants the answers any more.
 * @returns what the version makes of rows that took the answering one so long; it never throws.
 * @throws VedetteError invalid_manifest where it cannot be fed.
 */
export function createBesideRun(options: {
  version: { readonly digest: string; readonly manifest: Manifest; readonly session: Session };
  ports: Pick<Ports, "clock" | "log">;
  hangMs: number;
  slackMs: number;
  closed: () => boolean;
}): (inputs: ModelInputs, rows: number, took: RunTook) => Promise<BesideAnswer> {
  const { version, hangMs, slackMs, closed } = options;
  const { clock, log } = options.ports;
  const { digest, manifest, session } = version;
  const check = inputCheckOf(manifest);
  const feed = feederOf(manifest);
  const wanted = neededOutputs(manifest.output);
  const cap = fixedBatch(manifest) ?? usualBatch;
  const fields = manifest.input.fields.length;
  const nothing: Side = { manifest, answers: null, refused: () => false, ms: null };
  let saidFailed = false;

  return async (inputs, rows, took) => {
    let refused: readonly boolean[] | null;
    try {
      ({ refused } = check({ ...inputs, model: manifest.model }, {}));
    } catch {
      // It would have refused the request: no answer of it stands.
      return { side: nothing, own: false, hangs: false };
    }
    const answers: (ModelAnswer | null)[] = [];
    let wallMs = 0;
    let ownMs: number | undefined = 0;
    try {
      for (let at = 0; at < rows && !closed(); at += cap) {
        const count = Math.min(cap, rows - at);
        const part = rows <= cap ? inputs : sliceInputs(inputs, at, at + count, fields);
        const began = clock.monotonic();
        const outputs = await inTime(session.run(feed(part, count), wanted), clock, hangMs, slackMs);
        if (outputs === hangs) return { side: nothing, own: false, hangs: true };
        const ms = clock.monotonic() - began;
        const own: number | undefined = session.ranMs;
        wallMs += ms;
        ownMs = own === undefined || ownMs === undefined ? undefined : ownMs + own;
        answers.push(...decodeOutputs(outputs, manifest.output, count));
      }
    } catch (error) {
      if (!saidFailed) log.warn("shadow.run_failed", { digest, error: messageOf(error) });
      saidFailed = true;
      return { side: nothing, own: false, hangs: false };
    }
    const own = ownMs !== undefined && took.ownMs !== undefined;
    // As many rows as the answering version took at once, so that both are asked how long those take.
    const ms = timeOf({ wallMs, ownMs, runs: took.runs }, own);
    return { side: { manifest, answers, refused: (row) => refused?.[row] ?? false, ms }, own, hangs: false };
  };
}

/** Of one run of so many. @param own the runs' own time, where both versions tell theirs; else what passed here. */
export function timeOf({ wallMs, ownMs, runs }: RunTook, own: boolean): number {
  // No run is counted where the first one failed.
  return (own && ownMs !== undefined ? ownMs : wallMs) / Math.max(1, runs);
}

function inTime<T>(work: Promise<T>, clock: Clock, hangMs: number, slackMs: number): Promise<T | typeof hangs> {
  return new Promise((resolve, reject) => {
    // Twice: where the machine slept, the first wait is over before the run could go on.
    let cancel = clock.after(hangMs, () => {
      cancel = clock.after(slackMs, () => resolve(hangs));
    });
    work.then(
      (done) => {
        cancel();
        resolve(done);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
