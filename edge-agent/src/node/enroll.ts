/**
 * Joining a site: the token says where and pins the site's root by hash, the device proves that it holds its key, and what
 * comes back is kept in the agent's folder. `agent.json` is written last: where it is, the device has joined.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { enrollAnswer, type enrollRequest } from "@vedette/protocol/api";
import { utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { agentId, labels, sha256Hex, siteId } from "@vedette/protocol/ids";
import { enrollmentClaim, parseEnrollmentToken } from "@vedette/protocol/joining";
import { z } from "zod";
import type { DeviceKey } from "../core/ports.ts";
import { postJson } from "../http/post-json.ts";
import { certificatePath } from "./device-certificate.ts";
import { writeDurably } from "./durable-file.ts";

const enrolment = z.object({
  site: siteId,
  agent: agentId,
  /** The control plane's HTTP address. */
  url: z.url(),
  mqttUrl: z.string(),
  labels,
  rootSha256: sha256Hex,
});
/** What a device knows about the site it has joined. */
export type Enrolment = z.infer<typeof enrolment>;

/**
 * Joins a site and keeps what it answers in `home`.
 * @param given.labels added to those of the token, which win.
 * @throws VedetteError invalid_token, invalid_argument; offline, timeout; digest_mismatch where the root is not the one the
 * token pins; wrong_device; or the control plane's own refusal.
 */
export async function enroll(given: {
  readonly home: string;
  readonly token: string;
  readonly agent: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly key: DeviceKey;
}): Promise<Enrolment> {
  const token = parseEnrollmentToken(given.token);
  const agent = checked(agentId, given.agent, "name");
  const own = checked(labels, given.labels, "label");
  const publicKey = given.key.publicKeyHex;
  const proof = await given.key.sign(enrollmentClaim(token.secret, agent, publicKey));
  const body: z.infer<typeof enrollRequest> = { secret: token.secret, agent, publicKey, proof };
  const answer = await postJson(new URL("/v1/enroll", token.url), body, enrollAnswer);
  if (sha256(answer.root) !== token.rootSha256) {
    throw new VedetteError(
      "digest_mismatch",
      `${token.url} has another root of trust than the token: it is not that site`,
    );
  }
  if (answer.site !== token.site || answer.agent !== agent) {
    throw new VedetteError(
      "wrong_device",
      `${token.url} answered for ${answer.site}/${answer.agent}, not ${token.site}/${agent}`,
    );
  }
  const joined: Enrolment = {
    site: answer.site,
    agent,
    url: token.url,
    mqttUrl: answer.mqttUrl,
    labels: { ...own, ...answer.labels },
    rootSha256: token.rootSha256,
  };
  await writeDurably(rootPath(given.home), utf8(answer.root));
  if (answer.certificate !== undefined) await writeDurably(certificatePath(given.home), utf8(answer.certificate));
  await writeDurably(enrolmentPath(given.home), utf8(`${JSON.stringify(joined, null, 2)}\n`));
  return joined;
}

/**
 * What the device joined earlier, with the root it pinned; undefined where it has not.
 * @throws VedetteError storage_failed; digest_mismatch where the root is not the one that the enrolment pinned.
 */
export async function readEnrolment(home: string): Promise<{ enrolment: Enrolment; root: string } | undefined> {
  try {
    const joined = enrolment.parse(JSON.parse(await readFile(enrolmentPath(home), "utf8")));
    const root = await readFile(rootPath(home), "utf8");
    if (sha256(root) === joined.rootSha256) return { enrolment: joined, root };
  } catch (cause) {
    const path = cause instanceof Error && "code" in cause && cause.code === "ENOENT" && "path" in cause && cause.path;
    if (path === enrolmentPath(home)) return undefined;
    const message = `what this device knows of its site in ${home} cannot be read (${messageOf(cause)}): enrol it anew`;
    throw new VedetteError("storage_failed", message, { cause });
  }
  throw new VedetteError(
    "digest_mismatch",
    `the root kept in ${home} is not the one its enrolment pinned: remove that folder and enrol anew`,
  );
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const enrolmentPath = (home: string) => join(home, "agent.json");
const rootPath = (home: string) => join(home, "root.json");

function checked<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new VedetteError("invalid_argument", `--${what}: ${parsed.error.issues[0]?.message}`);
}
