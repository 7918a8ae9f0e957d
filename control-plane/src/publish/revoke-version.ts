/** `vedette model revoke`: raises the lowest version of a model that may be served, in signed metadata. */
import type { Device, ModelVersion } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { unpublished } from "./init-trust.ts";
import { type KeyRing, type Settled, settle } from "./settle.ts";
import { standingTrust } from "./standing-trust.ts";
import type { TrustApi } from "./trust-api.ts";
import { extensionOf, raiseFloor } from "./trust-metadata.ts";

export interface RevokeApi extends Pick<TrustApi, "trust" | "putMetadata"> {
  versions(): Promise<ModelVersion[]>;
  devices(): Promise<Device[]>;
}
export interface Revoked {
  readonly outcome: "revoked" | "unchanged" | "pending";
  readonly model: string;
  /** The lowest version that may be served from now on. */
  readonly floor: number;
  readonly revoked: readonly number[];
  /** Published versions that may still be assigned. */
  readonly left: readonly number[];
  /** Devices that last said they have a revoked version, and how. */
  readonly running: readonly { agent: string; version: number; as: string; online: boolean }[];
  readonly settled: Settled<never> | null;
}

/**
 * @param below revoke only what is older than the version, and not it.
 * @param now UTC ms.
 * @throws VedetteError not_found (no such version), and as `settle` does.
 */
export async function revokeVersion(
  what: { model: string; version: number; below: boolean },
  api: RevokeApi,
  ring: KeyRing,
  now: number,
): Promise<Revoked> {
  const { model } = what;
  const published = (await api.versions()).filter((one) => one.model === model).map((one) => one.version);
  if (!published.includes(what.version)) {
    const have = published.length === 0 ? `there is no model ${model}` : `${model} has ${published.join(", ")}`;
    throw new VedetteError("not_found", `${model} has no version ${what.version}; ${have}: see vedette model list`);
  }
  const floor = what.below ? what.version : what.version + 1;
  const trust = await standingTrust(api, ring);
  const targets = await trust.current("targets");
  const current = extensionOf(targets).floors[model] ?? 0;
  let settled: Settled<never> | null = null;
  if (current < floor) {
    const metadata = [{ role: "targets", text: raiseFloor(targets, model, floor, now) }];
    const draft = await trust.draft(`revoke every version of ${model} below ${floor}`, metadata);
    settled = await settle<never>(draft, ring, { ...api, publish: unpublished });
  }
  const reached = Math.max(floor, current);
  return {
    outcome: settled === null ? "unchanged" : settled.outcome === "put" ? "revoked" : "pending",
    model,
    floor: reached,
    revoked: published.filter((version) => version < reached),
    left: published.filter((version) => version >= reached),
    running: runningBelow(await api.devices(), model, reached),
    settled,
  };
}

/** As the devices last reported: it takes them a moment to hear of it. */
function runningBelow(devices: readonly Device[], model: string, floor: number): Revoked["running"] {
  return devices.flatMap(({ agent, online, reported }) => {
    const slot = reported?.slots.find((one) => one.model === model);
    if (!slot) return [];
    const { serving, candidate, previous } = slot;
    const trial = candidate?.state === "probation" ? candidate : null;
    const found = [
      { as: "serving", at: serving },
      { as: "on probation", at: trial },
      { as: "kept to return to", at: previous },
    ].find(({ at }) => at !== null && at.release < floor);
    return found?.at ? [{ agent, version: found.at.release, as: found.as, online }] : [];
  });
}
