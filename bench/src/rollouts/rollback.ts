/** How long a bad version stays on a fleet of real agent cores; `fixtures/src/rollouts/roll-back.ts` says what is real. */
import { type Badness, type RolledBack, rollBack } from "../../../fixtures/src/rollouts/roll-back.ts";

export interface RollbackResult extends RolledBack {
  readonly badness: Badness;
}

const kinds: readonly Badness[] = ["seen in evidence", "seen on the device"];

/** @param progress is told before each. */
export async function measureRollback(devices: number, progress: (text: string) => void): Promise<RollbackResult[]> {
  const results: RollbackResult[] = [];
  for (const badness of kinds) {
    progress(`${devices} devices, ${badness}`);
    results.push({ badness, ...(await rollBack({ devices, seed: 1, badness })) });
  }
  return results;
}
