/** Receivers of alerts that take none: told to the others. */
import type { Database } from "../../../db/database.ts";
import type { Clock } from "../../../ports.ts";
import type { AlertSource } from "../watch-sources.ts";

const failingForMs = 10 * 60_000;

export function failingReceivers(ports: { db: Pick<Database, "alerts">; clock: Clock }): AlertSource {
  return {
    names: ["VedetteReceiverFailing"],
    async look() {
      const receivers = await ports.db.alerts.receivers();
      const failing = receivers.filter(
        ({ failingSince }) => failingSince !== null && ports.clock.now() - failingSince >= failingForMs,
      );
      return {
        wrong: failing.map(({ name }) => ({
          name: "VedetteReceiverFailing" as const,
          severity: "warning" as const,
          labels: { receiver: name },
          annotations: {
            summary: `The receiver ${name} takes no alerts`,
            description: "What it was not told waits for it, and is sent once it answers: vedette alert receiver list",
          },
          key: `receiver-failing/${name}`,
        })),
      };
    },
  };
}
