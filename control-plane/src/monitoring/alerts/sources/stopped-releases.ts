/** What was to go out without an operator and does not: the gate or a signer stopped it, or its rollout does not begin. */
import type { ReleaseFacts } from "@vedette/protocol/release-api";
import type { AlertSource } from "../watch-sources.ts";

/** @param ports.list the newest first. */
export function stoppedReleases(ports: { list: () => Promise<readonly ReleaseFacts[]> }): AlertSource {
  return {
    names: ["VedetteReleaseStopped"],
    async look() {
      const all = await ports.list();
      const wrong = all.flatMap((release) => {
        const why = whyStopped(release);
        // What a newer one took the place of is nobody's worry any more.
        const newest = all.find(({ model }) => model === release.model) === release;
        if (why === null || !newest) return [];
        const { id, model, version } = release;
        const name = `${model}${version === null ? "" : ` version ${version}`}`;
        return [
          {
            name: "VedetteReleaseStopped" as const,
            severity: "warning" as const,
            labels: { model },
            annotations: { summary: `${name} does not go out by itself`, description: `Release ${id}: ${why}` },
            key: `release-stopped/${model}`,
          },
        ];
      });
      return { wrong };
    },
  };
}

function whyStopped({ state, why, rollout }: ReleaseFacts): string | null {
  if (state === "held") return why;
  if (state === "refused") return `a signer refuses it: ${why}`;
  return state === "released" && rollout?.id === null ? `its rollout does not begin: ${rollout.why}` : null;
}
