/**
 * Versions in service that err more than they did on the data they were published with, as labels show: harm pages also where no
 * drift was found, or none that anybody watches for. One question a version, whose answer holds however often it is asked.
 */
import type { Device } from "@vedette/protocol/api";
import { codeOf } from "@vedette/protocol/errors";
import type { Database } from "../../../db/database.ts";
import type { Clock, HarmOracle } from "../../../ports.ts";
import type { Raise } from "../alerts.ts";
import type { AlertSource } from "../watch-sources.ts";

/** Labels come slowly, and joining them is work: of each version so often. */
const askEveryMs = 10 * 60_000;

export function performanceDropped(ports: {
  listDevices: () => Promise<Device[]>;
  db: Pick<Database, "versions">;
  harmOf: HarmOracle["harmOf"];
  clock: Clock;
}): AlertSource {
  const { listDevices, db, harmOf, clock } = ports;
  /** By digest: what was found, and when. */
  let known = new Map<string, { readonly at: number; readonly raise: Raise | null }>();

  async function judge(digest: string): Promise<Raise | null> {
    const found = await db.versions.findByDigest(digest);
    if (!found) return null;
    const { model, version, createdAt } = found;
    try {
      const { verdict, why } = await harmOf({ model, version, since: new Date(createdAt).toISOString() });
      if (verdict !== "harmful") return null;
      return {
        name: "VedettePerformanceDropped",
        severity: "critical",
        labels: { model, version: String(version) },
        annotations: { summary: `${model} version ${version} errs more than it should`, description: `${why}.` },
        key: `performance-dropped/${digest}`,
      };
    } catch (error) {
      if (codeOf(error) === "not_found") return null; // nothing is stored of it yet
      throw error;
    }
  }

  return {
    names: ["VedettePerformanceDropped"],
    async look() {
      const at = clock.now();
      const serving = (await listDevices()).filter(({ revoked }) => !revoked).flatMap(({ assigned }) => assigned);
      const now: typeof known = new Map();
      for (const digest of new Set(serving.map((one) => one.digest))) {
        const before = known.get(digest);
        const fresh = before && at >= before.at && at - before.at < askEveryMs;
        now.set(digest, fresh ? before : { at, raise: await judge(digest) });
      }
      known = now;
      return { wrong: [...known.values()].flatMap(({ raise }) => raise ?? []) };
    },
  };
}
