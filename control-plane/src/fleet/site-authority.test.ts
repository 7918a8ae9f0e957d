import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { codeOf } from "@vedette/protocol/errors";
import { agentId } from "@vedette/protocol/ids";
import { expect, onTestFinished, test } from "vitest";
import { controlPlaneName, openSiteAuthority } from "./site-authority.ts";

const folder = () => mkdtemp(join(tmpdir(), "vedette-authority-"));
const clock = { now: () => Date.now() };
const day = 86_400_000;
function deviceKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const publicKeyHex = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
  return { publicKeyHex, pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

test("[Q13] a device's certificate is for its own key and name, by this site's authority, and for clients only", async () => {
  const authority = await openSiteAuthority(await folder(), "test", clock);
  const key = deviceKey();
  const { certificate, expiresAt } = await authority.forDevice("gauge-1", key.publicKeyHex);
  const read = new X509Certificate(certificate);
  const ca = new X509Certificate(authority.ca);
  expect(read.subject).toBe("CN=gauge-1");
  expect(read.verify(ca.publicKey) && read.checkIssued(ca) && ca.ca && !read.ca).toBe(true);
  expect(read.checkPrivateKey(createPrivateKey(key.pem))).toBe(true);
  expect(read.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
  expect(Date.parse(read.validTo)).toBe(expiresAt);
  expect(expiresAt - Date.now()).toBeGreaterThan(89 * day);
  expect(agentId.safeParse(controlPlaneName).success).toBe(false);
});

test("[Q13] a TLS server lets in who has a certificate of this site, and nobody of another", async () => {
  const [ours, theirs] = [
    await openSiteAuthority(await folder(), "a", clock),
    await openSiteAuthority(await folder(), "a", clock),
  ];
  const names: string[] = [];
  const server = createServer(
    { ...(await ours.forBroker(["127.0.0.1", "localhost"])), ca: ours.ca, requestCert: true, rejectUnauthorized: true },
    (socket: TLSSocket) => {
      names.push(socket.getPeerCertificate().subject.CN as string);
      socket.end("welcome");
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const visit = (login: { cert: string; key: string }) =>
    new Promise<string>((resolve) => {
      let heard = "";
      const socket = connect({ host: "127.0.0.1", port, ca: ours.ca, ...login });
      socket.on("data", (bytes) => (heard += String(bytes)));
      socket.on("error", () => resolve("refused"));
      socket.on("close", () => resolve(heard || "refused"));
    });
  const key = deviceKey();
  const certificate = async (by: typeof ours) => (await by.forDevice("gauge-1", key.publicKeyHex)).certificate;
  expect(await visit({ cert: await certificate(ours), key: key.pem })).toBe("welcome");
  expect(await visit(await ours.forControlPlane())).toBe("welcome");
  expect(await visit({ cert: await certificate(theirs), key: key.pem })).toBe("refused");
  expect(names).toEqual(["gauge-1", controlPlaneName]);
});

test("the authority is made once, is its owner's alone, and a damaged one is not made anew", async () => {
  const home = await folder();
  const first = await openSiteAuthority(home, "test", clock);
  expect((await openSiteAuthority(home, "test", clock)).ca).toBe(first.ca);
  expect((await stat(join(home, "ca.key"))).mode & 0o077).toBe(0);
  const key = createPrivateKey(await readFile(join(home, "ca.key")));
  expect(createPublicKey(key).equals(new X509Certificate(first.ca).publicKey)).toBe(true);
  await writeFile(join(home, "ca.key"), "no key");
  expect(await openSiteAuthority(home, "test", clock).catch(codeOf)).toBe("storage_failed");
});
