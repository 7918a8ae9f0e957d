/** The disk of the control plane's home. A share alone would cry wolf on a large one, and bytes alone on a small one. */
import type { AlertSource } from "../watch-sources.ts";

const gib = 2 ** 30;

export interface DiskSpace {
  /** Bytes that may still be written. */
  readonly free: number;
  readonly total: number;
}

export function lowDisk(space: () => Promise<DiskSpace>): AlertSource {
  return {
    names: ["VedetteDiskLow"],
    async look() {
      const { free, total } = await space();
      const critical = free < 0.25 * gib || (free < 0.03 * total && free < 5 * gib);
      const low = critical || (free < 0.1 * total && free < 20 * gib);
      if (!low) return { wrong: [] };
      return {
        wrong: [
          {
            name: "VedetteDiskLow",
            severity: critical ? "critical" : "warning",
            labels: {},
            annotations: {
              summary: critical ? "The control plane's disk is nearly full" : "The control plane's disk fills up",
              description:
                "Once it is full nothing is taken in: devices keep their predictions, within their own budgets. Nothing that is stored is lost.",
            },
            key: "disk-low",
          },
        ],
      };
    },
  };
}
