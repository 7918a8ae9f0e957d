/**
 * The device's certificate for brokers that know devices by one: issued at enrolment, kept in the agent's folder, and
 * renewed before it expires by a proof of the device's key.
 */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deviceCertificateAnswer, type deviceTokenRequest } from "@vedette/protocol/api";
import { toHex, utf8 } from "@vedette/protocol/bytes";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { deviceCertificateClaim } from "@vedette/protocol/joining";
import type { z } from "zod";
import type { Clock, DeviceKey, Logger, Random } from "../core/ports.ts";
import { postJson } from "../http/post-json.ts";
import { writeDurably } from "./durable-file.ts";

/** A certificate with less than this share of its life left is renewed. */
const renewShare = 1 / 3;

export const certificatePath = (home: string) => join(home, "device.crt");

/** A device that joined: its folder, the control plane's URL, its name and key; and what it does all with. */
export interface JoinedDevice {
  readonly home: string;
  readonly url: string;
  readonly agent: string;
  readonly key: DeviceKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface CertificateRequest extends JoinedDevice {
  /** UTC ms by the control plane, just asked: the device's clock may be wrong. */
  readonly now: number;
}

/**
 * The present certificate, PEM. One that still holds is used where a new one cannot be had.
 * @throws VedetteError offline, timeout; or the control plane's own refusal, where there is none that holds.
 */
export async function currentCertificate(options: CertificateRequest): Promise<string> {
  const { home, log, now } = options;
  const kept = await readKept(certificatePath(home), log);
  if (kept && now < kept.renewAt) return kept.pem;
  try {
    const fresh = await requestCertificate(options);
    await writeDurably(certificatePath(home), utf8(fresh));
    log.info("certificate.renewed", { until: new X509Certificate(fresh).validTo });
    return fresh;
  } catch (error) {
    if (!kept || now >= kept.expiresAt) throw error;
    log.warn("certificate.not_renewed", { code: codeOf(error), why: messageOf(error) });
    return kept.pem;
  }
}

async function requestCertificate(options: CertificateRequest): Promise<string> {
  const { agent, key, random, now } = options;
  const nonce = toHex(random.bytes(16));
  const proof = await key.sign(deviceCertificateClaim(agent, now, nonce));
  const body: z.infer<typeof deviceTokenRequest> = { agent, at: now, nonce, proof };
  const { certificate } = await postJson(new URL("/v1/device-certificate", options.url), body, deviceCertificateAnswer);
  return certificate;
}

async function readKept(
  path: string,
  log: Logger,
): Promise<{ pem: string; renewAt: number; expiresAt: number } | undefined> {
  try {
    const pem = await readFile(path, "utf8");
    const certificate = new X509Certificate(pem);
    const [from, expiresAt] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    return { pem, expiresAt, renewAt: expiresAt - (expiresAt - from) * renewShare };
  } catch (error) {
    const absent = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!absent) log.warn("certificate.unreadable", { path, why: messageOf(error) });
    return undefined;
  }
}
