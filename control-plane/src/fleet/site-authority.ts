/**
 * The site's own certificate authority, made at its first start: brokers that cannot check our tokens know a device by a
 * certificate for its key. It says who connects to a broker, and nothing else is believed for it.
 */
import "reflect-metadata"; // asked for by @peculiar/x509
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, webcrypto } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { readIfThere, writeWhole } from "../durable-file.ts";
import type { Clock } from "../ports.ts";

/** PEM texts. */
export interface Credential {
  readonly cert: string;
  readonly key: string;
}

export interface SiteAuthority {
  /** PEM. */
  readonly ca: string;
  /** A client certificate for a device's key, CN = the device. @param publicKeyHex Ed25519. */
  forDevice(agent: string, publicKeyHex: string): Promise<{ certificate: string; expiresAt: number }>;
  /** A key and client certificate for the control plane itself. */
  forControlPlane(): Promise<Credential>;
  /** A key and server certificate for a broker, reached by these names or addresses. */
  forBroker(hosts: readonly string[]): Promise<Credential>;
}

/** No device's name has a dot, so that none can be enrolled as this one. */
export const controlPlaneName = "vedette.control-plane";
const days = 86_400_000;
const lifetimes = { authority: 3650 * days, device: 90 * days, broker: 365 * days };
/** Certificates begin a little earlier, for clocks that are behind. */
const backdatedMs = 3_600_000;
const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** @throws VedetteError storage_failed where the folder's files are no authority. */
export async function openSiteAuthority(
  folder: string,
  site: string,
  clock: Pick<Clock, "now">,
): Promise<SiteAuthority> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { cert, key } = (await readCredential(folder)) ?? (await makeAuthority(folder, site, clock));
  const issuer = openCertificate(cert, folder);
  const signingKey = await importKey(key, folder);

  const issue = async (
    commonName: string,
    publicKey: webcrypto.CryptoKey,
    lifetimeMs: number,
    usage: ExtendedKeyUsage,
    hosts: readonly string[] = [],
  ) => {
    const now = clock.now();
    // Seconds are all that a certificate holds.
    const expiresAt = Math.floor(Math.min(now + lifetimeMs, issuer.notAfter.getTime()) / 1000) * 1000;
    const names = hosts.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value }));
    const certificate = await X509CertificateGenerator.create({
      serialNumber: randomBytes(16).toString("hex"),
      subject: [{ CN: [commonName] }],
      issuer: issuer.subject,
      notBefore: new Date(now - backdatedMs),
      notAfter: new Date(expiresAt),
      signingAlgorithm: ecdsa,
      publicKey,
      signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage]),
        await AuthorityKeyIdentifierExtension.create(issuer),
        ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
      ],
    });
    return { certificate: `${certificate.toString("pem")}\n`, expiresAt };
  };
  const withKey = async (
    commonName: string,
    lifetimeMs: number,
    usage: ExtendedKeyUsage,
    hosts?: readonly string[],
  ) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spki = publicKey.export({ format: "der", type: "spki" });
    const subject = await webcrypto.subtle.importKey("spki", spki, ecdsa, true, ["verify"]);
    const { certificate } = await issue(commonName, subject, lifetimeMs, usage, hosts);
    return { cert: certificate, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  };

  return {
    ca: cert,
    async forDevice(agent, publicKeyHex) {
      const raw = Buffer.from(publicKeyHex, "hex");
      const publicKey = await webcrypto.subtle.importKey("raw", raw, { name: "Ed25519" }, true, ["verify"]);
      return issue(agent, publicKey, lifetimes.device, ExtendedKeyUsage.clientAuth);
    },
    forControlPlane: () => withKey(controlPlaneName, lifetimes.broker, ExtendedKeyUsage.clientAuth),
    forBroker: (hosts) => withKey(hosts[0] ?? "localhost", lifetimes.broker, ExtendedKeyUsage.serverAuth, hosts),
  };
}

async function makeAuthority(folder: string, site: string, clock: Pick<Clock, "now">): Promise<Credential> {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const privateKey = await importKey(key, folder);
  const spki = pair.publicKey.export({ format: "der", type: "spki" });
  const publicKey = await webcrypto.subtle.importKey("spki", spki, ecdsa, true, ["verify"]);
  const now = clock.now();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString("hex"),
    name: [{ CN: [`Vedette site ${site}`] }],
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + lifetimes.authority),
    signingAlgorithm: ecdsa,
    keys: { privateKey, publicKey },
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  const made = { cert: `${certificate.toString("pem")}\n`, key };
  // The key first: a certificate without its key would have to be thrown away.
  await writeWhole(join(folder, "ca.key"), made.key);
  await writeWhole(join(folder, "ca.crt"), made.cert);
  return made;
}

async function readCredential(folder: string): Promise<Credential | undefined> {
  const [cert, key] = await Promise.all([readIfThere(join(folder, "ca.crt")), readIfThere(join(folder, "ca.key"))]);
  return cert !== undefined && key !== undefined ? { cert, key } : undefined;
}

function openCertificate(pem: string, folder: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

async function importKey(pem: string, folder: string): Promise<webcrypto.CryptoKey> {
  try {
    const key = createPrivateKey(pem);
    createPublicKey(key);
    return await webcrypto.subtle.importKey("pkcs8", key.export({ format: "der", type: "pkcs8" }), ecdsa, true, [
      "sign",
    ]);
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

function unusable(folder: string, cause: unknown): VedetteError {
  const why = `the site's certificate authority in ${folder} cannot be used (${messageOf(cause)})`;
  return new VedetteError("storage_failed", `${why}: restore ca.crt and ca.key from a backup`, { cause });
}
