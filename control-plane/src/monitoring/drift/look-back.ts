/** The long looks of one round: which devices are due, and what their newest windows say together (long-look.ts judges). */
import type { Database } from "../../db/database.ts";
import type { DriftWindowRecord } from "../../db/drift.ts";
import { type Detectors, roundsToFalseAlarm } from "./detectors.ts";
import { lookAt, lookDue } from "./long-look.ts";
import { deviceSubject } from "./subjects.ts";
import type { WatchedVersion } from "./watched-versions.ts";

/** Features that a long look found moved, the most moved first, by device. */
export type Sightings = ReadonlyMap<string, readonly string[]>;

/** Windows that a look reads at most: those of a slow stream hold few rows each. */
const mostWindows = 1024;

/**
 * @param given.parts of this round, whose rows the devices' detectors have seen. @param given.rowsBefore by device, those that its
 *   detector had seen before. @param given.devices how many there are to be wrong about.
 */
export async function lookBack(
  room: { readonly db: Pick<Database, "drift">; readonly watched: WatchedVersion; readonly detectors: Detectors },
  given: {
    readonly parts: readonly { readonly agent: string; readonly windows: readonly DriftWindowRecord[] }[];
    readonly rowsBefore: ReadonlyMap<string, number>;
    readonly round: number;
    readonly devices: number;
  },
): Promise<Sightings> {
  const { db, watched, detectors } = room;
  const { policy, digest } = watched;
  const seen = new Map<string, readonly string[]>();
  for (const { agent, windows: now } of given.parts) {
    const own = detectors.of(deviceSubject(agent));
    const before = given.rowsBefore.get(agent) ?? 0;
    const windows = own && lookDue(before / policy.windowRows, own.rows / policy.windowRows);
    if (!own || !windows) continue;
    const earlier = await db.drift.merged(digest, [agent], given.round - own.steps, mostWindows);
    // Where windows are kept no longer, the rows are fewer than the look's level is for: that errs to the safe side.
    const looked = newest([...now.toReversed(), ...earlier], windows * policy.windowRows);
    const { report } = detectors.report(looked.map(({ snapshot }) => new Uint8Array(snapshot)));
    const threshold = roundsToFalseAlarm(watched);
    const moved = lookAt(report.features, { windows, threshold, devices: given.devices, policy });
    if (moved.length > 0) seen.set(agent, moved);
  }
  return seen;
}

/** Of windows, the newest first, as many as hold so many rows. */
function newest(windows: readonly DriftWindowRecord[], rows: number): DriftWindowRecord[] {
  let sum = 0;
  return windows.filter((window) => {
    const take = sum < rows;
    sum += window.rows;
    return take;
  });
}
