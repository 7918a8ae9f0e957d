/**
 * Who this page is: joined once by an enrolment token, then kept beside the agent's other files. The token pins the site's
 * first root by its hash, so trust comes with the token and not from the connection.
 */
import { type EnrollmentToken, enrollAnswer } from "@vedette/protocol/api";
import { fromUtf8, toHex, utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { agentId, labels, siteId } from "@vedette/protocol/ids";
import { enrollmentClaim } from "@vedette/protocol/joining";
import { z } from "zod";
import type { Clock, Crypto, DeviceKey, Random, Storage } from "../core/ports.ts";
import { requestDeviceToken } from "../http/device-token.ts";
import type { PostJson } from "../http/post-json.ts";

const path = "identity.json";
const identity = z.object({
  v: z.literal(1),
  site: siteId,
  agent: agentId,
  /** The control plane's HTTP address. */
  url: z.url(),
  /** First root metadata, as pinned. */
  root: z.string(),
  labels,
});
export type Identity = z.infer<typeof identity>;

/** @throws VedetteError storage_failed where the file is none of ours. */
export async function loadIdentity(storage: Storage): Promise<Identity | undefined> {
  const bytes = await storage.read(path);
  if (!bytes) return undefined;
  try {
    return identity.parse(JSON.parse(fromUtf8(bytes)));
  } catch (cause) {
    throw new VedetteError(
      "storage_failed",
      "the page's identity cannot be read: clear this site's data and enrol anew",
      {
        cause,
      },
    );
  }
}

export interface EnrollOptions {
  readonly token: EnrollmentToken;
  /** Name to join by; a random one where there is none. */
  readonly name?: string | undefined;
  readonly storage: Storage;
  readonly key: DeviceKey;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly post: PostJson;
}

/**
 * Redeems a token and keeps the identity it gave.
 * @throws VedetteError digest_mismatch (another site's root), offline, timeout; or the control plane's own refusal.
 */
export async function enroll({ token, name, storage, key, crypto, random, post }: EnrollOptions): Promise<Identity> {
  const agent = name ?? `web-${toHex(random.bytes(5))}`;
  const proof = await key.sign(enrollmentClaim(token.secret, agent, key.publicKeyHex));
  const body = { secret: token.secret, agent, publicKey: key.publicKeyHex, proof };
  const answer = await post(new URL("/v1/enroll", token.url), body, enrollAnswer);
  if ((await crypto.sha256(utf8(answer.root))) !== token.rootSha256 || answer.site !== token.site) {
    throw new VedetteError("digest_mismatch", `${token.url} is not the site that made this token: it is not trusted`);
  }
  const { site, root } = answer;
  const joined: Identity = { v: 1, site, agent: answer.agent, url: token.url, root, labels: answer.labels };
  await storage.write(path, utf8(JSON.stringify(joined)));
  return joined;
}

/**
 * How this page logs in to the broker: a fresh one-hour MQTT password, and where to use it.
 * @throws VedetteError unsupported (the broker takes no pages), offline, timeout; or the control plane's own refusal.
 */
export async function loginOf(options: {
  readonly identity: Identity;
  readonly key: DeviceKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly post: PostJson;
}): Promise<{ url: string; time: number; password: string }> {
  const { agent, url } = options.identity;
  const answer = await requestDeviceToken({ ...options, agent, url });
  if (answer.mqttWsUrl === "" || answer.mqttAuth !== "token") {
    const why =
      "this site's broker takes no pages: its operator sets VEDETTE_MQTT_WS_URL and VEDETTE_DEVICE_AUTH=token";
    throw new VedetteError("unsupported", why);
  }
  return { url: answer.mqttWsUrl, time: answer.time, password: answer.token };
}
