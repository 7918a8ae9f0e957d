/**
 * Believes a device's message only where its enrolled key signed it, for this topic, and later than what was believed
 * before. Brokers have rules of their own, weak or strong: a forged or repeated message changes nothing here.
 */
import { isLater, openDeviceMessage, type Stamp } from "@vedette/protocol/device-message";
import { VedetteError } from "@vedette/protocol/errors";
import type { Database } from "../db/database.ts";
import { verifyEd25519 } from "../verify-ed25519.ts";

export interface DeviceMessages {
  /**
   * The body of a device's message on one of its topics.
   * @throws VedetteError unauthenticated (no such device), unsigned, bad_signature, wrong_device, replayed.
   */
  open(agent: string, topic: string, text: string): Promise<string>;
}

const verify = async (key: string, message: Uint8Array, signature: string) => verifyEd25519(key, message, signature);

/** What is written down: a heartbeat or a will is not worth a write, nor a harm if it is heard again after a restart. */
const changesState = (topic: string) => /\/(reported|req|out)(\/|$)/.test(topic);

export function createDeviceMessages({ db }: { db: Database }): DeviceMessages {
  /** By device: what was heard before this process, and the latest of each topic since, for topics may overtake each other. */
  const known = new Map<string, { readonly before: Stamp | null; sid: number; readonly latest: Map<string, Stamp> }>();

  return {
    async open(agent, topic, text) {
      const device = await db.devices.identity(agent);
      if (!device) throw new VedetteError("unauthenticated", `device ${agent} is not enrolled here: enrol it again`);
      const { sid, n, body } = await openDeviceMessage(text, topic, { agent, publicKey: device.publicKey }, verify);
      const stamp = { sid, n };
      const heard = known.get(agent) ?? { before: device.heard, sid: device.heard?.sid ?? 0, latest: new Map() };
      const before = heard.latest.get(topic) ?? heard.before;
      if (sid < heard.sid || (before && !isLater(stamp, before))) {
        throw new VedetteError(
          "replayed",
          `${agent} said this before, or in session ${sid} when ${heard.sid} is the latest: where it is the device itself, set its clock`,
        );
      }
      // Topics of one device are few, and only its own key brings it here.
      heard.sid = sid;
      heard.latest.set(topic, stamp);
      known.set(agent, heard);
      if (changesState(topic) && (!device.heard || isLater(stamp, device.heard))) await db.devices.heard(agent, stamp);
      return body;
    },
  };
}
