import { openSigned } from "@vedette/protocol/signed";
import { describe, expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { createOperator, makeKey } from "../../test/operator.ts";
import { enroll, hello, initialiseTrust, publish, type Site, startSite, trustOf } from "../../test/site.ts";
import { verifyEd25519 } from "../verify-ed25519.ts";

const put = (site: Site, ...metadata: { role: string; text: string }[]) =>
  site.call("PUT", "/v1/trust/metadata", { metadata });
const refused = (code: string) => ({ body: { error: { code } } });
const file = async (site: Site, name: string) => {
  const text = await site.fleet.answer("any", { id: "0".repeat(16), kind: "metadata", file: name });
  return { text, signed: JSON.parse(text).signed };
};
const day = 86_400_000;

describe("first trust", () => {
  test("root and targets bring a snapshot and a timestamp that the online keys signed", async () => {
    const site = await startSite();
    const operator = createOperator((await trustOf(site)).online);
    const root = operator.root();
    expect(await put(site, root, operator.targets())).toMatchObject({ status: 200 });
    expect((await file(site, "1.root.json")).text).toBe(root.text);
    const timestamp = await file(site, "timestamp.json");
    const { version } = timestamp.signed.meta["snapshot.json"];
    expect((await file(site, `${version}.snapshot.json`)).signed.meta["targets.json"].version).toBe(1);
    expect(timestamp.signed.version).toBe(site.clock.now() / 1000);
  });

  test("nothing is taken before a root, and no device gets an assignment", async () => {
    const site = await startSite();
    const operator = createOperator((await trustOf(site)).online);
    expect(await put(site, operator.targets())).toMatchObject(refused("trust_not_initialised"));
    expect(await site.call("POST", "/v1/enrollment-tokens", {})).toMatchObject(refused("trust_not_initialised"));
  });

  test("a root for other online keys is refused: the site could not speak", async () => {
    const site = await startSite();
    const { online } = await trustOf(site);
    const stranger = createOperator({ ...online, timestamp: makeKey().publicKeyHex });
    expect(await put(site, stranger.root())).toMatchObject(refused("invalid_metadata"));
  });
});

describe("attacks on the metadata", () => {
  async function ready() {
    const site = await startSite();
    const operator = await initialiseTrust(site);
    await publish(site, operator, [makeBundle("rain", "one")]);
    return { site, operator };
  }

  test("[S5] unsigned, wrongly signed, tampered, below the threshold", async () => {
    const { site, operator } = await ready();
    const next = { version: 3, models: ["rain"] };
    expect(await put(site, operator.targets({ ...next, signers: [] }))).toMatchObject(refused("unsigned"));
    expect(await put(site, operator.targets({ ...next, signers: [makeKey()] }))).toMatchObject(
      refused("bad_signature"),
    );
    const good = operator.targets(next);
    const tampered = { ...good, text: good.text.replace("rain/*", "hail/*") };
    expect(tampered.text).not.toBe(good.text);
    expect(await put(site, tampered)).toMatchObject(refused("bad_signature"));
    const halfRoot = operator.root({ version: 2, signers: operator.rootKeys.slice(0, 1) });
    expect(await put(site, halfRoot)).toMatchObject(refused("bad_signature"));
  });

  test("a root that only its own keys signed is refused: the old keys hand over", async () => {
    const { site, operator } = await ready();
    const keys = [makeKey(), makeKey()];
    expect(await put(site, operator.root({ version: 2, keys }))).toMatchObject(refused("bad_signature"));
    const handedOver = operator.root({ version: 2, keys, signers: [...keys, ...operator.rootKeys] });
    expect(await put(site, handedOver)).toMatchObject({ status: 200 });
  });

  test("[S9] replays and lowered floors are rollbacks; versions may go past what a restored backup has lost", async () => {
    const { site, operator } = await ready();
    const models = ["rain"];
    expect(await put(site, operator.targets({ version: 2, models }))).toMatchObject(refused("rollback"));
    expect(await put(site, operator.targets({ version: 7, models, floors: { rain: 1 } }))).toMatchObject({
      status: 200,
    });
    expect(await put(site, operator.targets({ version: 7, models, floors: { rain: 2 } }))).toMatchObject(
      refused("rollback"),
    );
    expect(await put(site, operator.targets({ version: 8, models }))).toMatchObject(refused("rollback"));
  });

  test("expired metadata, and metadata that do not parse or fit", async () => {
    const { site, operator } = await ready();
    const models = ["rain"];
    const expired = operator.targets({ version: 3, models, expires: "2026-11-23T11:59:59Z" });
    expect(await put(site, expired)).toMatchObject(refused("expired"));
    expect(await put(site, { role: "targets", text: "{" })).toMatchObject(refused("invalid_metadata"));
    expect(await put(site, operator.targets({ version: 3, models, paths: "*" }))).toMatchObject(
      refused("invalid_metadata"),
    );
    const director = makeKey().publicKeyHex;
    expect(await put(site, operator.targets({ version: 3, models, director }))).toMatchObject(
      refused("invalid_metadata"),
    );
    expect(await put(site, operator.project("hail", []))).toMatchObject(refused("invalid_metadata"));
    expect(await put(site, { role: "snapshot", text: "{}" })).toMatchObject(refused("invalid_metadata"));
  });

  test("one key under two ids does not count twice", async () => {
    const site = await startSite();
    const operator = createOperator((await trustOf(site)).online);
    const [key = makeKey()] = operator.rootKeys;
    const twice = [key, { ...key, keyid: "f".repeat(64) }];
    expect(await put(site, operator.root({ keys: twice }))).toMatchObject(refused("invalid_metadata"));
  });

  test("a project lists only what was published, with the number it was published by", async () => {
    const { site, operator } = await ready();
    const bundle = makeBundle("rain", "one");
    const { digest, length } = bundle;
    const listed = (release: number, digestListed = digest) =>
      operator.project("rain", [{ digest: digestListed, length, release }], { version: 2 });
    expect(await put(site, listed(1, "0".repeat(64)))).toMatchObject(refused("invalid_metadata"));
    expect(await put(site, listed(2))).toMatchObject(refused("conflict"));
    expect(await put(site, listed(1))).toMatchObject({ status: 200 });
  });

  test("new targets keys wait for the signatures below them: all or none", async () => {
    const { site, operator } = await ready();
    const before = (await trustOf(site)).versions;
    const targetsKey = makeKey();
    const root = operator.root({ version: 2, targetsKey });
    expect(await put(site, root)).toMatchObject(refused("bad_signature"));
    expect((await trustOf(site)).versions).toEqual(before);
    const targets = operator.targets({ version: 3, models: ["rain"], signers: [targetsKey] });
    expect(await put(site, targets, root)).toMatchObject({ status: 200, body: { versions: { root: 2, targets: 3 } } });
  });

  test("two at once: one is stored, the other is a rollback", async () => {
    const { site, operator } = await ready();
    const targets = operator.targets({ version: 3, models: ["rain"] });
    const answers = await Promise.all([put(site, targets), put(site, targets)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
  });
});

describe("online metadata", () => {
  test("is signed anew before it expires, by the timer and when it is asked for", async () => {
    const site = await startSite();
    await initialiseTrust(site);
    const first = (await file(site, "timestamp.json")).signed;
    site.clock.advance(day / 4);
    expect((await file(site, "timestamp.json")).signed.version).toBe(first.version);
    site.clock.advance(day / 2);
    const second = (await file(site, "timestamp.json")).signed;
    expect(second.version).toBeGreaterThan(first.version);
    expect(Date.parse(second.expires)).toBe(site.clock.now() + day);
    expect(second.meta["snapshot.json"].version).toBe(first.meta["snapshot.json"].version);
    site.clock.advance(5 * day);
    const third = (await file(site, "timestamp.json")).signed;
    expect(third.meta["snapshot.json"].version).toBeGreaterThan(second.meta["snapshot.json"].version);
  });

  test("[S13] never goes backwards, whatever the clock says", async () => {
    const site = await startSite();
    const operator = await initialiseTrust(site);
    const before = (await trustOf(site)).versions;
    site.clock.advance(-365 * day);
    await put(site, operator.targets({ version: 2 }));
    const after = (await trustOf(site)).versions;
    expect(after.timestamp).toBe((before.timestamp ?? 0) + 1);
    expect(after.snapshot).toBe((before.snapshot ?? 0) + 1);
  });

  test("a restart keeps everything, byte for byte", async () => {
    const site = await startSite();
    const operator = await initialiseTrust(site);
    await publish(site, operator, [makeBundle("rain", "one")]);
    await enroll(site, "gauge-1");
    await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
    const before = await hello(site, "gauge-1");
    const [trust, timestamp] = [await trustOf(site), await file(site, "timestamp.json")];
    await site.close();

    const again = await startSite({ home: site.home, clock: site.clock });
    expect(await trustOf(again)).toEqual(trust);
    expect(await file(again, "timestamp.json")).toEqual(timestamp);
    const after = await hello(again, "gauge-1");
    expect(after.assignment).toEqual(before.assignment);
    const keys = { [trust.online.director]: trust.online.director };
    const envelope = after.answer.assignment;
    if (!envelope) throw new Error("no assignment");
    const named = {
      ...envelope,
      signatures: envelope.signatures.map((one) => ({ ...one, keyid: trust.online.director })),
    };
    const verify = async (key: string, message: Uint8Array, sig: string) => verifyEd25519(key, message, sig);
    expect(await openSigned("assignment", named, { keys, threshold: 1 }, verify)).toBe(envelope.payload);
  });

  test("a home folder belongs to one site, and to one process", async () => {
    const site = await startSite();
    await expect(startSite({ home: site.home })).rejects.toMatchObject({ code: "conflict" });
  });
});
