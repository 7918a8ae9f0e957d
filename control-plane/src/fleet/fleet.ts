/** The fleet as the broker sees it: authenticates devices, answers what they ask, keeps what they report. */
import { currentCapability } from "@vedette/protocol/capability";
import { VedetteError } from "@vedette/protocol/errors";
import { labels } from "@vedette/protocol/ids";
import type { HelloAnswer, Request } from "@vedette/protocol/messages";
import type { PredictionCounts } from "@vedette/protocol/records-api";
import { parseTopic } from "@vedette/protocol/topics";
import type { Database } from "../db/database.ts";
import type { DriftIntake } from "../monitoring/drift/take-window.ts";
import type { Clock, Fleet, Ingestion } from "../ports.ts";
import type { Director } from "../release/director.ts";
import type { TrustRepository } from "../release/trust-repository.ts";
import type { Commands } from "./commands.ts";
import { createDeviceMessages } from "./device-messages.ts";
import type { DeviceTokens } from "./device-tokens.ts";
import type { Presence } from "./presence.ts";
import type { Revocation } from "./revocation.ts";
import type { ShadowIntake } from "./take-shadow.ts";

type Hello = Extract<Request, { kind: "hello" }>;

export function createFleet(ports: {
  site: string;
  db: Database;
  trust: TrustRepository;
  director: Director;
  deviceTokens: DeviceTokens;
  presence: Presence;
  ingestion: Pick<Ingestion, "stored">;
  drift: Pick<DriftIntake, "take">;
  shadows: ShadowIntake;
  revocation: Pick<Revocation, "refuse" | "revoked">;
  commands: Commands;
  clock: Clock;
  /** Tells a device that its assignment changed. */
  hint: (agent: string, rev: number) => Promise<void>;
}): Fleet & { inSpools(): PredictionCounts["inSpools"] } {
  const { site, db, trust, director, deviceTokens, presence, ingestion, drift, shadows, revocation, commands } = ports;
  const { clock, hint } = ports;
  /** What devices last said that they hold. */
  const spools = new Map<string, { batches: number; at: number }>();

  async function hello(agent: string, request: Hello): Promise<HelloAnswer> {
    const { abilities, nonce, rev: reportedRev, streams } = request;
    if (abilities.capability < currentCapability - 1) {
      throw new VedetteError(
        "unsupported",
        `${agent} speaks capability ${abilities.capability}; this control plane serves ${currentCapability} and the one before: update the agent`,
      );
    }
    const said = labels.safeParse(request.labels);
    if (!said.success) {
      throw new VedetteError(
        "invalid_argument",
        `the labels of ${agent} do not fit: keys are 1-63 of A-Z a-z 0-9 _ . -`,
      );
    }
    await db.devices.described(agent, abilities, said.data);
    const decided = await director.decide(agent, reportedRev);
    if (!decided) throw new VedetteError("unauthenticated", `device ${agent} is not enrolled here: enrol it again`);
    const time = clock.now();
    const { rev, slots } = decided;
    await shadows.sign(agent, slots);
    return {
      // Without a root no device could check a signature.
      assignment:
        trust.rootSha256 === null ? null : director.sign({ site, agent, rev, issued: time, nonce, slots: [...slots] }),
      stored: await ingestion.stored(agent, streams),
      time,
      commands: await commands.pending(agent),
    };
  }

  const messages = createDeviceMessages({ db });
  return {
    async open(agent, topic, text) {
      // A farewell is judged by `presence`, all else of a revoked device is not even read.
      if (parseTopic(topic)?.kind !== "presence") revocation.refuse(agent);
      return messages.open(agent, topic, text);
    },
    authenticate: (agent, password) => deviceTokens.authenticate(agent, password),
    async answer(agent, request) {
      revocation.refuse(agent);
      if (request.kind === "hello") return JSON.stringify(await hello(agent, request));
      if (request.kind === "metadata") {
        const text = await trust.metadata(request.file);
        if (text === undefined) throw new VedetteError("not_found", `there is no metadata file ${request.file}`);
        return text;
      }
      const manifest = await db.versions.manifest(request.digest);
      if (manifest === undefined) throw new VedetteError("not_found", `no version has the digest ${request.digest}`);
      return manifest;
    },
    async reported(agent, report) {
      revocation.refuse(agent);
      if (report.agent !== agent) {
        throw new VedetteError(
          "wrong_device",
          `${agent} sent the report of ${report.agent}: each device reports itself`,
        );
      }
      presence.seen(agent);
      await db.devices.reported(agent, report);
    },
    async presence(agent, on, sid) {
      // The farewell of one just revoked is true; that it is there again is not to be believed.
      if (!on || !revocation.revoked(agent)) presence.said(agent, on, sid);
    },
    async seen(agent) {
      if (!revocation.revoked(agent)) presence.seen(agent);
    },
    async heartbeat(agent, { rev, spoolBatches }) {
      spools.set(agent, { batches: spoolBatches, at: clock.now() });
      const decided = (await db.devices.revision(agent)) ?? 0;
      if (rev < decided) await hint(agent, decided);
    },
    drift: (agent, window) => drift.take(agent, window),
    shadow: (agent, parcel) => shadows.take(agent, parcel),
    commandDone: (agent, outcome) => commands.done(agent, outcome),
    inSpools() {
      // What a revoked device still holds is never taken.
      const heard = [...spools].flatMap(([agent, spool]) => (revocation.revoked(agent) ? [] : [spool]));
      const holding = heard.filter(({ batches }) => batches > 0);
      const oldest = Math.min(...heard.map(({ at }) => at));
      return {
        batches: holding.reduce((sum, { batches }) => sum + batches, 0),
        devices: holding.length,
        asOf: heard.length === 0 ? null : new Date(oldest).toISOString(),
      };
    },
  };
}
