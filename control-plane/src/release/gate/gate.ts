/**
 * The gate: makes a report of a version, keeps it signed, and says whether the version may be released. publish asks it for a
 * report, HTTP shows and overrides, the rollouts' engine asks at each look. What it keeps is verified each time it is read.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import {
  type GateCheck,
  type GateOverride,
  type GateState,
  gateOverride,
  gateReport,
  longestOverrideMs,
} from "@vedette/protocol/gate-api";
import { longestReportMs } from "@vedette/protocol/release-api";
import type { SignedText } from "@vedette/protocol/signed";
import type { Database } from "../../db/database.ts";
import type { VersionRecord } from "../../db/records.ts";
import type { ReleaseRecord } from "../../db/releases.ts";
import type { Clock, Logger } from "../../ports.ts";
import { versionDraft } from "../../registry/publish-version.ts";
import { createSerial } from "../../serial.ts";
import type { Director } from "../director.ts";
import type { OnlineKeys, SigningKey } from "../online-keys.ts";
import { clockSlackMs } from "../online-metadata.ts";
import type { Gate } from "../rollouts/read-world.ts";
import { type CheckPorts, checkVersion } from "./check-version.ts";
import { createSeal } from "./seal.ts";
import { stateOf } from "./state-of.ts";

export interface Gates {
  /** What stands of a version. @throws VedetteError not_found. */
  show(model: string, version: number): Promise<GateState>;
  /** Makes a report anew; it takes seconds. @throws VedetteError not_found, internal. */
  run(model: string, version: number, actor: string): Promise<GateState>;
  /**
   * Lets a version that failed be released until a moment.
   * @throws VedetteError not_found, conflict (it has not failed), invalid_argument (a moment that is past, or too far).
   */
  override(
    model: string,
    version: number,
    request: { reason: string; expiresAt: string },
    actor: string,
  ): Promise<GateState>;
  /** Ends an override before its time. @throws VedetteError not_found, conflict (none is in force). */
  withdraw(model: string, version: number, reason: string, actor: string): Promise<GateState>;
  /**
   * A report for a version just published, where it has none that can be read. Where it cannot be made the version is there all the same, and
   * no rollout takes it until `reconcile` or `run` made it.
   */
  reportOnce(version: VersionRecord): Promise<void>;
  /** Reports for the newest version of each model that has none: a publishing that was cut short, or of before the gate; or one that another Vedette made. */
  reconcile(): Promise<void>;
  /** What stands of a proposal under the number that it would get, as signed; `null`: there is no model of its name. */
  proposed(release: ReleaseRecord): Promise<ProposedState>;
  /** A report for a proposal that has none of the number it would get, or an old one. Never throws for the proposal's sake. */
  reportProposed(release: ReleaseRecord): Promise<void>;
  /**
   * Another key, after a break-in: what matters now (the newest version of each model, those that are being rolled out, those
   * that are proposed) is checked anew and signed by it; what the old one signed proves nothing from then on.
   */
  rotate(actor: string): Promise<void>;
  /** For the engine. */
  readonly answer: Gate;
}
interface ProposedState {
  readonly number: number;
  readonly state: GateState;
  /** As it was signed. */
  readonly override: SignedText | null;
}

interface GatePorts extends Pick<CheckPorts, "trust" | "blobs"> {
  readonly director: Pick<Director, "incumbents">;
  readonly site: string;
  readonly db: Database;
  readonly keys: Pick<OnlineKeys, "gate" | "next" | "stage" | "promote">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createGates(ports: GatePorts): Gates {
  const { site, db, director, keys, clock, logger } = ports;
  const { sign, open } = createSeal({ site, keys });
  // Each takes a processor and a process's memory.
  const serial = createSerial();

  async function find(model: string, number: number): Promise<Checked> {
    const versions = await db.versions.list(model);
    const found = versions.find(({ version }) => version === number);
    if (found) return found;
    const [open] = await db.releases.open(model);
    if (open && number === (versions.at(-1)?.version ?? 0) + 1) return asVersion(open, number);
    throw new VedetteError("not_found", `there is no ${model} version ${number}: see vedette model list`);
  }

  /** The version that the standing rules give most devices, the newer of equals. */
  async function championOf({ model, digest }: VersionRecord): Promise<VersionRecord | undefined> {
    const given = (await director.incumbents()).flatMap(({ slots }) => slots.filter((slot) => slot.model === model));
    const devices = (of: string) => given.filter((slot) => slot.digest === of).length;
    const others = (await db.versions.list(model)).filter((one) => one.digest !== digest && devices(one.digest) > 0);
    return others.sort((a, b) => devices(b.digest) - devices(a.digest) || b.version - a.version)[0];
  }

  /** Its manifest, whether it is a version yet or not. */
  const manifest = async (digest: string) => (await db.versions.manifest(digest)) ?? db.releases.manifest(digest);

  async function show(record: VersionRecord): Promise<GateState> {
    const { model, version, digest } = record;
    const stored = await db.gates.latest(digest);
    const report = await open("gate-report", gateReport, stored.report, record);
    const override = await open("gate-override", gateOverride, stored.override, record);
    return {
      ...{ model, version, digest },
      ...stateOf(report, override, clock.now()),
      report: typeof report === "string" ? null : report,
      signed: typeof report === "string" ? null : (stored.report ?? null),
      override: typeof override === "string" ? null : override,
      key: keys.gate.publicKeyHex,
    };
  }

  async function report(record: Checked, actor: string, key?: SigningKey): Promise<void> {
    const { model, version, digest, proposed = false } = record;
    const champion = await championOf(record);
    const { trust, blobs } = ports;
    const of = { db: { versions: { manifest } }, rows: (sha256: string) => db.gates.rows(sha256), proposed };
    const checks = await checkVersion(record, champion, { trust, blobs, ...of });
    const at = clock.now();
    // What could not be read again would be made anew for ever.
    const document = gateReport.parse({
      format: "vedette.gate-report/1",
      ...{ site, model, version, digest, at: new Date(at).toISOString(), checks },
      champion: champion ? { version: champion.version, digest: champion.digest } : null,
    });
    const detail = { digest, passed: failures(checks).length === 0, failed: failures(checks) };
    await db.gates.addReport(
      { digest, at, signed: sign("gate-report", document, key) },
      { at, actor, action: "gate.report", subject: `${model}/${version}`, detail },
    );
  }

  async function keepOverride(
    { model, version, digest }: VersionRecord,
    said: Pick<GateOverride, "checks" | "by" | "reason" | "expiresAt" | "withdrawn">,
    at: number,
  ): Promise<void> {
    const document: GateOverride = {
      format: "vedette.gate-override/1",
      ...{ site, model, version, digest, at: new Date(at).toISOString() },
      ...said,
    };
    const { by: actor, checks, reason, expiresAt, withdrawn } = said;
    await db.gates.addOverride(
      { digest, at, signed: sign("gate-override", document) },
      {
        ...{ at, actor, subject: `${model}/${version}` },
        ...(withdrawn
          ? { action: "gate.withdraw", detail: { digest, checks, reason } }
          : { action: "gate.override", detail: { digest, checks, reason, expiresAt } }),
      },
    );
  }

  async function proposed(release: ReleaseRecord): Promise<ProposedState> {
    const number = ((await db.versions.list(release.model)).at(-1)?.version ?? 0) + 1;
    const state = await show(asVersion(release, number));
    const { override } = await db.gates.latest(release.digest);
    return { number, state, override: state.override ? (override ?? null) : null };
  }

  /** The newest of each model, what is being rolled out, what is proposed. */
  async function mattering(): Promise<Checked[]> {
    const versions = await db.versions.list();
    const newest = new Map(versions.map((one) => [one.model, one]));
    const rolling = new Set((await db.rollouts.live()).map(({ digest }) => digest));
    const open = (await db.releases.open()).map((one) => asVersion(one, (newest.get(one.model)?.version ?? 0) + 1));
    return [...versions.filter((one) => newest.get(one.model) === one || rolling.has(one.digest)), ...open];
  }

  async function rotate(actor: string): Promise<void> {
    const before = keys.gate.publicKeyHex;
    const next = await keys.stage("gate");
    for (const record of await mattering()) {
      // One that cannot be checked now has no report then, and is checked again like any that lacks one.
      await report(record, actor, next).catch((error: unknown) => {
        logger.error("gate.failed", { model: record.model, version: record.version, why: messageOf(error) });
      });
    }
    await keys.promote("gate");
    const detail = { before: { publicKey: before }, after: { publicKey: next.publicKeyHex } };
    await db.audit.append({ at: clock.now(), actor, action: "online_key.rotate", subject: "gate", detail });
    logger.info("online_key.rotated", { role: "gate", publicKey: next.publicKeyHex });
  }

  /** Whatever is wrong with one version must not keep others from their reports, nor a publisher from an answer. */
  async function reportOnce(version: VersionRecord, actor: string): Promise<void> {
    const lacking = async () => {
      const { report } = await db.gates.latest(version.digest);
      const found = await open("gate-report", gateReport, report, version);
      // One that was changed is left to a person.
      return found === "none" || found === "unreadable";
    };
    try {
      // Asked again in its turn: a publishing and the reconciler may want the same.
      if (await lacking()) await serial(async () => ((await lacking()) ? report(version, actor) : undefined));
    } catch (error) {
      logger.error("gate.failed", { model: version.model, version: version.version, why: messageOf(error) });
    }
  }

  return {
    async show(model, version) {
      return show(await find(model, version));
    },
    async run(model, version, actor) {
      const record = await find(model, version);
      await serial(() => report(record, actor));
      return show(record);
    },
    async override(model, version, { reason, expiresAt }, actor) {
      const record = await find(model, version);
      const before = await show(record);
      const name = `${model} version ${version}`;
      if (!before.report) throw new VedetteError("conflict", `${name}: ${before.why}`);
      const checks = failures(before.report.checks);
      if (checks.length === 0)
        throw new VedetteError("conflict", `${name} passed the gate: there is nothing to override`);
      const at = clock.now();
      const lasts = Date.parse(expiresAt) - at;
      if (!(lasts > 0 && lasts <= longestOverrideMs)) {
        const most = longestOverrideMs / 86_400_000;
        throw new VedetteError(
          "invalid_argument",
          `an override ends between now and ${most} days from now, not at ${expiresAt}`,
        );
      }
      await keepOverride(record, { checks, by: actor, reason, expiresAt }, at);
      return show(record);
    },
    async withdraw(model, version, reason, actor) {
      const record = await find(model, version);
      const { state, override, why } = await show(record);
      if (state !== "overridden" || !override)
        throw new VedetteError("conflict", `${model} version ${version} has no override in force: ${why}`);
      const at = clock.now();
      const { checks } = override;
      await keepOverride(
        record,
        { checks, by: actor, reason, expiresAt: new Date(at).toISOString(), withdrawn: true },
        at,
      );
      return show(record);
    },
    reportOnce: (version) => reportOnce(version, version.publishedBy),
    proposed,
    async reportProposed(release) {
      const { model } = release;
      try {
        await serial(async () => {
          const { number, state } = await proposed(release);
          const age = state.report ? clock.now() - Date.parse(state.report.at) : Number.POSITIVE_INFINITY;
          // Well before a signer finds it too old; of a clock that was ahead no signer takes it.
          if (age > longestReportMs / 2 || age < -clockSlackMs)
            await report(asVersion(release, number), "control-plane");
        });
      } catch (error) {
        logger.error("gate.failed", { model, release: release.id, why: messageOf(error) });
      }
    },
    rotate: (actor) => serial(() => rotate(actor)),
    async reconcile() {
      // One that a stop cut short is brought to its end.
      if (keys.next.gate) await serial(async () => keys.next.gate && rotate("control-plane"));
      for (const model of await db.versions.modelNames()) {
        const newest = (await db.versions.list(model)).at(-1);
        if (newest) await reportOnce(newest, "control-plane");
      }
    },
    async answer(model, version) {
      const { state, why } = await show(await find(model, version));
      return { passed: state === "passed" || state === "overridden", why };
    },
  };
}

/** A version, or what would be one. */
type Checked = VersionRecord & { readonly proposed?: boolean };

function asVersion(release: ReleaseRecord, version: number): Checked {
  const { model, manifest, modelSignature, createdBy: actor, createdAt: now } = release;
  return { ...versionDraft({ model, manifest, modelSignature, actor, now }), version, proposed: true };
}

function failures(checks: readonly GateCheck[]): string[] {
  return checks.filter(({ passed }) => passed === false).map(({ name }) => name);
}
