/**
 * What is wrong now, and what was. Sources raise and clear; each alert's life is the pure step of life-cycle.ts, written down
 * before it counts, so that a restart changes nothing. deliver-alerts.ts tells receivers; HTTP lists and acknowledges.
 */
import { createHash } from "node:crypto";
import type { Severity } from "@vedette/protocol/alerts-api";
import { VedetteError } from "@vedette/protocol/errors";
import type { Database } from "../../db/database.ts";
import type { AlertRecord, AuditEntry } from "../../db/records.ts";
import type { Clock, Logger } from "../../ports.ts";
import { createSerial } from "../../serial.ts";
import { type AlertName, alertCatalogue } from "./catalogue.ts";
import { type AlertEvent, covered, step } from "./life-cycle.ts";

/** What is wrong. Name and labels together say of what: raised twice, it is one alert. */
export interface Raise {
  readonly name: AlertName;
  readonly severity: Severity;
  /** `model` groups what receivers are told; no secrets, nothing that changes while it is wrong. */
  readonly labels: Readonly<Record<string, string>>;
  /** For people: `summary` in one line, `description`. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What the source clears it by. */
  readonly key: string;
}

/** What those call who find something wrong, at the moment when they do. */
export interface AlertPort {
  /** Fires, or goes on: severity and annotations follow what was raised last. */
  raise(raised: Raise): Promise<void>;
  /** It is over: resolved once nothing is raised under this key for a while. A key that fires nothing is no fault. */
  clear(key: string): Promise<void>;
}

export interface Alerts extends AlertPort {
  /**
   * All that one source has to say: what fires under its names and is neither wrong nor unsure is over.
   * @param unsure keys of which the source cannot tell; they stay as they are.
   * @param why by key, why what is over is over: told as the annotation `resolved`, until it is raised again.
   */
  settle(
    names: readonly AlertName[],
    wrong: readonly Raise[],
    unsure: ReadonlySet<string>,
    why?: ReadonlyMap<string, string>,
  ): Promise<void>;
  /** Resolves what was quiet for long enough. */
  tick(): Promise<void>;
  /** Takes an alert on. @throws VedetteError not_found, conflict where it is resolved. */
  ack(id: number, by: string, reason: string | null): Promise<AlertRecord>;
  /** What fires, as it is now. */
  firing(): readonly AlertRecord[];
}

/** How long what is resolved is kept. */
const keepMs = 365 * 86_400_000;

/** @param runbookUrl where the pages of docs/runbooks are read, without the page. */
export async function openAlerts(ports: {
  db: Database;
  clock: Clock;
  logger: Logger;
  runbookUrl: () => string;
}): Promise<Alerts> {
  const { db, clock, logger, runbookUrl } = ports;
  /** By fingerprint. */
  const open = new Map((await db.alerts.firing()).map((one) => [one.fingerprint, one]));
  const serial = createSerial();
  let prunedAt = 0;

  const write = async (changed: readonly (Omit<AlertRecord, "id"> & { id?: number })[], entry?: AuditEntry) => {
    const written = changed.length === 0 ? [] : await db.alerts.write(changed, entry);
    for (const one of written) {
      const before = open.get(one.fingerprint);
      if (one.state === "firing") open.set(one.fingerprint, one);
      else open.delete(one.fingerprint);
      if (before?.state !== one.state || before.severity !== one.severity) {
        const { id, name, severity, state, labels } = one;
        logger.info("alert.changed", { id, name, severity, state, labels });
      }
    }
    return written;
  };
  const raised = ({ name, severity, labels, annotations, key }: Raise) => {
    const fingerprint = fingerprintOf(name, labels);
    const before = open.get(fingerprint);
    const life = step(before, { kind: "raise", at: clock.now(), severity });
    const told = { ...annotations, runbook_url: `${runbookUrl()}/${alertCatalogue[name].runbook}` };
    const same = before?.key === key && JSON.stringify(before.annotations) === JSON.stringify(told);
    if (!life || (life === before && same)) return [];
    return [{ ...before, ...life, key, fingerprint, name, labels, annotations: told }];
  };
  const moved = (alerts: Iterable<AlertRecord>, event: AlertEvent) =>
    [...alerts].flatMap((one) => {
      const life = step(one, event);
      return life && life !== one ? [{ ...one, ...life }] : [];
    });

  return {
    raise: (one) => serial(async () => void (await write(raised(one)))),
    clear: (key) =>
      serial(async () => {
        const ofKey = [...open.values()].filter((one) => one.key === key);
        await write(moved(ofKey, { kind: "clear", at: clock.now() }));
      }),
    settle: (names, wrong, unsure, why) =>
      serial(async () => {
        const still = new Set(wrong.map(({ name, labels }) => fingerprintOf(name, labels)));
        const over = [...open.values()].filter(
          (one) =>
            (names as readonly string[]).includes(one.name) && !still.has(one.fingerprint) && !unsure.has(one.key),
        );
        const byFingerprint = new Map(wrong.map((one) => [fingerprintOf(one.name, one.labels), one]));
        const changed = [...byFingerprint.values()].flatMap(raised);
        const cleared = moved(over, { kind: "clear", at: clock.now() }).map((one) => {
          const resolved = why?.get(one.key);
          return resolved === undefined ? one : { ...one, annotations: { ...one.annotations, resolved } };
        });
        await write([...changed, ...cleared]);
      }),
    tick: () =>
      serial(async () => {
        const at = clock.now();
        await write(moved(open.values(), { kind: "tick", at }));
        if (at - prunedAt < 86_400_000) return;
        prunedAt = at;
        await db.alerts.prune(at - keepMs);
      }),
    ack: (id, by, reason) =>
      serial(async () => {
        const found = [...open.values()].find((one) => one.id === id) ?? (await db.alerts.find(id));
        if (!found) throw new VedetteError("not_found", `there is no alert ${id}: see vedette alert list --state all`);
        if (found.state === "resolved")
          throw new VedetteError("conflict", `alert ${id} is resolved already: there is nothing to acknowledge`);
        const at = clock.now();
        const detail = { id, severity: found.severity, labels: found.labels, before: found.ack, reason };
        const entry = { at, actor: by, action: "alert.ack", subject: found.name, detail };
        if (covered(found)) return found;
        const [written] = await write(moved([found], { kind: "ack", at, by, reason }), entry);
        return written ?? found;
      }),
    firing: () => [...open.values()],
  };
}

/** Of name and labels, whatever their order: 16 hex digits. */
export function fingerprintOf(name: string, labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([name, sorted]))
    .digest("hex")
    .slice(0, 16);
}
