/**
 * Asks the control plane for the one-hour token that is the device's MQTT password, by proof of the device's key. The same
 * in Node and in pages.
 */
import { deviceTokenAnswer, type deviceTokenRequest } from "@vedette/protocol/api";
import { toHex } from "@vedette/protocol/bytes";
import { deviceTokenClaim } from "@vedette/protocol/joining";
import type { z } from "zod";
import type { Clock, DeviceKey, Random } from "../core/ports.ts";
import { httpDate, type PostJson } from "./post-json.ts";

/** A device's clock may be years off; beyond this the control plane's own date, from its refusal, is used instead. */
const clockToleranceMs = 5 * 60_000;

/**
 * @param options.url the control plane's HTTP address.
 * @throws VedetteError offline, timeout; or the control plane's own code and message where it refuses.
 */
export async function requestDeviceToken(options: {
  readonly url: string;
  readonly agent: string;
  readonly key: DeviceKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly post: PostJson;
}): Promise<z.infer<typeof deviceTokenAnswer>> {
  const ask = async (at: number) => {
    const nonce = toHex(options.random.bytes(16));
    const proof = await options.key.sign(deviceTokenClaim(options.agent, at, nonce));
    const body: z.infer<typeof deviceTokenRequest> = { agent: options.agent, at, nonce, proof };
    return options.post(new URL("/v1/device-token", options.url), body, deviceTokenAnswer);
  };
  const now = Math.round(options.clock.now());
  try {
    return await ask(now);
  } catch (error) {
    const date = httpDate(error);
    if (date === undefined || Math.abs(date - now) < clockToleranceMs) throw error;
    return ask(date);
  }
}
