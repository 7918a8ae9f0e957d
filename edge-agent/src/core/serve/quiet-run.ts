/** How long a model itself takes, apart from queues and a busy device: the best of a few runs of one row. */
import type { Manifest } from "@vedette/protocol/bundle";
import { buildInputs, rawTensors } from "@vedette/protocol/input-rows";
import { type ModelInputs, rowLength, type Tensor, tensorArrays } from "@vedette/protocol/tensors";
import type { Clock } from "../ports.ts";
import { neededOutputs } from "./decode-outputs.ts";
import { feederOf } from "./feeds.ts";
import type { ServingVersion } from "./serving-version.ts";

const runs = 3;
/** What one run may take, in latency budgets: a busy processor slows it down, and hardly so much. */
const patience = 20;

/** Best time of the runs, ms; infinite where none ended in time. @throws VedetteError model_failed. */
export async function quietRunMs(
  { manifest, session }: Pick<ServingVersion, "manifest" | "session">,
  clock: Clock,
): Promise<number> {
  const feed = feederOf(manifest)(blankRow(manifest), 1);
  const wanted = neededOutputs(manifest.output);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const started = clock.monotonic();
    const ended = await within(clock, patience * manifest.limits.latencyMs, session.run(feed, wanted));
    if (!ended) break;
    best = Math.min(best, clock.monotonic() - started);
  }
  return best;
}

/** A row of zeros and empty texts; a size that the manifest leaves open is one. */
function blankRow({ input }: Manifest): ModelInputs {
  const tensors = rawTensors(input).map(({ name, datatype, shape }): [string, Tensor] => {
    const sizes = shape.map((size, i) => (i === 0 ? 1 : Math.max(size, 1)));
    const Values = tensorArrays[datatype === "BYTES" ? "UINT8" : datatype];
    return [name, { datatype, shape: sizes, data: new Values(rowLength(sizes)) }];
  });
  return buildInputs(input, 1, ({ kind }) => (kind === "category" ? "" : 0), Object.fromEntries(tensors));
}

/** Whether the work ended in time. What ends later is nobody's business any more. */
function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => resolve(false));
    work.then(
      () => {
        cancel();
        resolve(true);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
