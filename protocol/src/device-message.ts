/**
 * What a device says upwards in JSON, signed: the broker's rules may be weak, and anyone on it may then publish to anyone's
 * topic. The signature covers the topic, the session's counter and a number within the session, so that a message stands
 * for nothing else and counts once. Prediction batches are framed and signed apart.
 */
import { z } from "zod";
import { VedetteError } from "./errors.ts";
import { openSigned, type SignedText, signedBytes, signedText } from "./signed.ts";

const type = "device-message";
const number = z.int().min(0);
/** The number of a will: it is made before all other messages of its session, and comes after them. */
export const willNumber = Number.MAX_SAFE_INTEGER;

/** When a device said something: sessions only grow, and so do numbers within one. */
export interface Stamp {
  readonly sid: number;
  readonly n: number;
}

/** Whether `a` was said after `b`. */
export function isLater(a: Stamp, b: Stamp): boolean {
  return a.sid === b.sid ? a.n > b.n : a.sid > b.sid;
}

/** The payload of a message. @param sign Ed25519 over the bytes, hex. */
export async function sealDeviceMessage(
  agent: string,
  topic: string,
  { sid, n }: Stamp,
  body: string,
  sign: (message: Uint8Array<ArrayBuffer>) => Promise<string>,
): Promise<string> {
  const payload = `${topic} ${sid} ${n}\n${body}`;
  const sealed: SignedText = {
    payload,
    signatures: [{ keyid: agent, sig: await sign(signedBytes(type, payload)) }],
  };
  return JSON.stringify(sealed);
}

/**
 * The body and stamp of a message that came on a topic.
 * @throws VedetteError unsigned, bad_signature; wrong_device where it was said on another topic.
 */
export async function openDeviceMessage(
  text: string,
  topic: string,
  device: { readonly agent: string; readonly publicKey: string },
  verify: (publicKeyHex: string, message: Uint8Array<ArrayBuffer>, signatureHex: string) => Promise<boolean>,
): Promise<Stamp & { readonly body: string }> {
  const trusted = { keys: { [device.agent]: device.publicKey }, threshold: 1 };
  const payload = await openSigned(type, parseEnvelope(text, topic), trusted, verify);
  const end = payload.indexOf("\n");
  const [said, sid, n, ...rest] = payload.slice(0, Math.max(0, end)).split(" ");
  if (said !== topic)
    throw new VedetteError("wrong_device", `a message for ${said} came on ${topic}: it is not believed`);
  const stamp = z.object({ sid: number, n: number }).safeParse({ sid: Number(sid), n: Number(n) });
  if (!stamp.success || rest.length > 0) {
    throw new VedetteError("invalid_message", `${topic}: the signed head is not topic, session and number`);
  }
  return { ...stamp.data, body: payload.slice(end + 1) };
}

function parseEnvelope(text: string, topic: string): SignedText {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new VedetteError("invalid_message", `${topic}: not JSON`, { cause });
  }
  const parsed = signedText.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new VedetteError("unsigned", `${topic}: the message is not signed by its device: update the agent`);
}
