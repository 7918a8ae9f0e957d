/** What there is to say of drift: the state of each version that sent windows, its events, and the windows themselves. */

import type { DriftEvent, DriftState, driftWindows } from "@vedette/protocol/drift-api";
import { isWorse } from "@vedette/protocol/judge-drift";
import type { Production } from "@vedette/protocol/production-api";
import type { z } from "zod";
import type { Database } from "../../db/database.ts";
import type { DriftBankFacts, DriftEventRecord } from "../../db/drift.ts";
import type { VersionRecord } from "../../db/records.ts";
import { isoTime } from "../../iso-time.ts";
import type { Clock } from "../../ports.ts";
import { roundsToFalseAlarm } from "./detectors.ts";
import { scopeOf, subjectOf } from "./subjects.ts";
import type { WatchedVersions } from "./watched-versions.ts";

type VersionDrift = DriftState["versions"][number];
type FleetDrift = NonNullable<Production["models"][number]["versions"][number]["fleetDrift"]>;
interface DriftQuestion {
  readonly model?: string | undefined;
  readonly version?: number | undefined;
}

const mostRounds = 200;
const mostEvents = 200;

export interface DriftDescription {
  /** @param question.model all models where none is named. */
  state(question: DriftQuestion): Promise<DriftState>;
  windows(
    question: DriftQuestion & { agent?: string | undefined; event?: number | undefined; limit: number },
  ): Promise<z.infer<typeof driftWindows>>;
  /** In short, by digest: for "what is in production?". */
  fleet(): Promise<ReadonlyMap<string, FleetDrift>>;
  /** Undefined where its version is not known any more. */
  event(record: DriftEventRecord): Promise<DriftEvent | undefined>;
}

export function describeDrift(ports: { db: Database; versions: WatchedVersions; clock: Clock }): DriftDescription {
  const { db, versions, clock } = ports;

  async function asked({ model, version }: DriftQuestion): Promise<VersionRecord[]> {
    const digests = new Set(await db.drift.digests());
    const all = await db.versions.list(model);
    return all.filter((one) => digests.has(one.digest) && (version === undefined || one.version === version));
  }

  async function event(record: DriftEventRecord): Promise<DriftEvent | undefined> {
    const version = await db.versions.findByDigest(record.digest);
    if (!version) return undefined;
    const { id, model, digest, scope, verdict, raised, logE, features, agents } = record;
    return {
      id,
      model,
      version: version.version,
      digest,
      scope,
      verdict,
      openedAt: isoTime(record.openedAt),
      raisedAt: isoTime(record.raisedAt),
      raised,
      closedAt: record.closedAt === null ? null : isoTime(record.closedAt),
      logE,
      features: [...features],
      agents: [...agents],
      windows: await db.drift.evidence(id),
    };
  }

  async function describe(
    { model, version, digest }: VersionRecord,
    events: readonly DriftEvent[],
  ): Promise<VersionDrift> {
    const watched = await versions.find(digest);
    const banks = await db.drift.banks(digest);
    const open = events.filter((one) => one.digest === digest && one.closedAt === null);
    const told = (bank: DriftBankFacts) =>
      detectorOf(
        bank,
        open.filter(({ scope }) => subjectOf(scope) === bank.subject),
      );
    /** A device stands under the events of its groups, too. */
    const toldOf = (bank: DriftBankFacts, agent: string) =>
      detectorOf(
        bank,
        open.filter(({ agents }) => agents.includes(agent)),
      );
    const fleet = banks.find(({ subject }) => subject === "fleet");
    const byAgent = new Map(banks.map((bank) => [bank.subject, bank]));
    const last = await db.drift.lastWindows(digest);
    const rounds = await db.drift.rounds(digest, mostRounds);
    return {
      model,
      version,
      digest,
      threshold: roundsToFalseAlarm(watched),
      features: [...watched.reference.names],
      fleet: fleet ? told(fleet) : null,
      cohorts: banks.flatMap((bank) => {
        const scope = scopeOf(bank.subject);
        if (scope?.kind !== "cohort") return [];
        return [{ label: scope.label, value: scope.value, ...told(bank) }];
      }),
      devices: last.flatMap(({ windows, last: window }) => {
        const bank = byAgent.get(subjectOf({ kind: "device", agent: window.agent }));
        if (!bank) return []; // its first window waits for a round
        const said = { verdict: window.verdict, top: window.top, logE: window.logE };
        return [
          { agent: window.agent, windows, lastWindow: isoTime(window.receivedAt), said, ...toldOf(bank, window.agent) },
        ];
      }),
      rounds: rounds.map(({ round, at, devices, rows, capped, verdict, top, logE }) => ({
        round,
        at: isoTime(at),
        devices,
        rows,
        capped,
        verdict,
        top,
        logE,
      })),
    };
  }

  return {
    event,
    async fleet() {
      const digests = await db.drift.digests();
      const told = new Map<string, FleetDrift>();
      for (const digest of digests) {
        const [last] = await db.drift.rounds(digest, 1);
        const open = await db.drift.openEvents(digest);
        const detector = (await db.drift.banks(digest)).find(({ subject }) => subject === "fleet");
        if (!last) continue;
        const events = open.map(({ id, scope, verdict, features, openedAt }) => {
          return { id, scope, verdict, features: features.map(({ name }) => name), since: isoTime(openedAt) };
        });
        const worst = events.reduce((found, one) => (isWorse(one.verdict, found) ? one.verdict : found), last.verdict);
        const top = open.find((one) => one.verdict === worst)?.features[0]?.name ?? last.top;
        const { steps: rounds = 0, rows = 0 } = detector ?? {};
        told.set(digest, { verdict: worst, top, rounds, rows, events });
      }
      return told;
    },
    async state(question) {
      const those = await asked(question);
      const records = await db.drift.events(
        those.map(({ digest }) => digest),
        mostEvents,
      );
      const events = (await Promise.all(records.map(event))).filter((one) => one !== undefined);
      const told: VersionDrift[] = [];
      for (const version of those) told.push(await describe(version, events));
      return { at: isoTime(clock.now()), versions: told, events };
    },
    async windows({ agent, event: of, limit, ...question }) {
      const digests = (await asked(question)).map(({ digest }) => digest);
      const found = await db.drift.windows({ digests, agent, event: of, limit });
      return {
        windows: found.map(({ fromAt, toAt, receivedAt, round: _, snapshot, ...window }) => ({
          ...window,
          from: isoTime(fromAt),
          to: isoTime(toAt),
          receivedAt: isoTime(receivedAt),
          snapshot: snapshot.toString("base64"),
        })),
      };
    },
  };
}

/** A detector in words; open events about it say the worst of what it said. */
function detectorOf(bank: DriftBankFacts, events: readonly DriftEvent[]) {
  const worst = events.reduce<DriftEvent | undefined>(
    (found, one) => (!found || isWorse(one.verdict, found.verdict) ? one : found),
    undefined,
  );
  return {
    verdict: worst?.verdict ?? bank.verdict,
    top: worst?.features[0]?.name ?? bank.top,
    logE: bank.logE,
    byFeature: [...bank.features],
    rounds: bank.steps,
    rows: bank.rows,
  };
}
