/** Versions that devices were assigned and rejected, with the reasons that they gave. */
import type { Device } from "@vedette/protocol/api";
import type { AlertSource } from "../watch-sources.ts";

/** More devices than this are counted, not named. */
const mostNamed = 6;

export function rejectedVersions(ports: { listDevices: () => Promise<Device[]> }): AlertSource {
  return {
    names: ["VedetteVersionRejected"],
    async look() {
      const rejections = (await ports.listDevices()).flatMap(({ agent, assigned, reported, revoked }) => {
        if (revoked) return [];
        return (reported?.slots ?? []).flatMap(({ model, candidate, serving }) => {
          // One that is tried on for want of another may end each process that begins with it.
          if (candidate?.state !== "rejected" && candidate?.reason !== "crash_loop") return [];
          // A rejection counts while the device should still run what it rejected.
          const target = assigned.find((one) => one.model === model && one.digest === candidate.digest);
          if (!target) return [];
          return [{ agent, model, version: target.version, why: candidate.reason ?? "no reason told", none: !serving }];
        });
      });
      const byVersion = Map.groupBy(rejections, ({ model, version }) => `${model}/${version}`);
      const wrong = [...byVersion].map(([key, of]) => {
        const { model = "", version = 0 } = of[0] ?? {};
        const agents = of.map(({ agent }) => agent).sort();
        const more = agents.length > mostNamed ? ` and ${agents.length - mostNamed} more` : "";
        const why = [...new Set(of.map((one) => one.why))].sort().join(", ");
        const without = of.filter(({ none }) => none).length;
        const meanwhile =
          without === 0 ? "They serve the version before." : `${without} of them have no version to serve instead.`;
        return {
          name: "VedetteVersionRejected" as const,
          severity: without === 0 ? ("warning" as const) : ("critical" as const),
          labels: { model, version: String(version) },
          annotations: {
            summary: `Devices reject version ${version} of ${model}: ${why}`,
            description: `${agents.slice(0, mostNamed).join(", ")}${more}. ${meanwhile}`,
          },
          key: `version-rejected/${key}`,
        };
      });
      return { wrong };
    },
  };
}
