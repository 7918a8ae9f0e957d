/** Watched servers of which nothing comes any more: their logger was turned off, or its token was. */
import type { Watch } from "@vedette/protocol/watch-api";
import type { Clock } from "../../../ports.ts";
import type { AlertSource } from "../watch-sources.ts";

const silentForMs = 3_600_000;

export function silentWatches(ports: { list: () => Promise<Watch[]>; clock: Clock }): AlertSource {
  const { list, clock } = ports;
  // Nothing could come while this control plane was not there.
  const startedAt = clock.now();
  return {
    names: ["VedetteWatchSilent"],
    async look(firing) {
      const now = clock.now();
      const heard = (await list()).flatMap(({ model, lastAt }) => {
        return lastAt === null ? [] : [{ model, at: Date.parse(lastAt), key: `watch-silent/${model}` }];
      });
      const silent = heard.filter(({ at }) => now - Math.max(at, startedAt) >= silentForMs);
      const unsure = heard.filter((one) => one.at < startedAt && !silent.includes(one) && firing.has(one.key));
      return {
        wrong: silent.map(({ model, at, key }) => ({
          name: "VedetteWatchSilent" as const,
          severity: "warning" as const,
          labels: { model },
          annotations: {
            summary: `Nothing comes of ${model} any more`,
            description: `The server that is watched sent its last prediction at ${new Date(at).toISOString()}.`,
          },
          key,
        })),
        unsure: new Set(unsure.map(({ key }) => key)),
      };
    },
  };
}
