import { codeOf } from "@vedette/protocol/errors";
import { describe, expect, it } from "vitest";
import { createTrustClient } from "../../core/verify/trust-client.ts";
import { webCrypto } from "../web-crypto.ts";
import { memoryStorage } from "./memory-storage.ts";
import {
  digest,
  keyJson,
  makeKey,
  manifestLength,
  model,
  mutate,
  now,
  type SigningKey,
  signRaw,
  TufSite,
} from "./tuf-site.ts";

const day = 86_400_000;
const project = "project-rain-gauge";

function device(site: TufSite) {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  const asked: string[] = [];
  const client = createTrustClient({ storage: memoryStorage(kept), crypto: webCrypto, pinnedRoot: site.firstRoot });
  const fetch = async (file: string) => {
    asked.push(file);
    return site.files.get(file);
  };
  return {
    kept,
    asked,
    refresh: (at = now) => client.refresh(fetch, at),
    release: async (at = now) => (await client.refresh(fetch, at)).release(model, digest, manifestLength),
  };
}
const code = (promise: Promise<unknown>) => promise.then(() => "accepted", codeOf);
const keysOf = (site: TufSite, role: string) => site.keys[role] as SigningKey[];
/** Serves another text under a name and signs all that stands above it anew. */
function replaceProject(site: TufSite, text: string) {
  site.files.set(`${site.versions[project]}.${project}.json`, text);
}

describe("the client workflow", () => {
  it("accepts a good site and answers the signed release", async () => {
    const it = device(new TufSite());
    const trusted = await it.refresh();
    expect(trusted.extension.floors).toEqual({ [model]: 3 });
    expect(await trusted.release(model, digest, manifestLength)).toBe(7);
  });

  it("keeps what it trusts, and asks only for what changed", async () => {
    const site = new TufSite();
    const it = device(site);
    await it.release();
    it.asked.length = 0;
    await it.release();
    expect(it.asked).toEqual(["2.root.json", "timestamp.json"]);
  });

  it.each([
    ["timestamp.json", "timestamp"],
    ["1.snapshot.json", "snapshot"],
    ["1.targets.json", "targets"],
    [`1.${project}.json`, project],
  ])("refuses %s by another key, without a signature, or changed after it was signed", async (file, role) => {
    for (const [change, expected] of [
      [(text: string) => mutate(text, () => undefined, [makeKey()]), "bad_signature"],
      [(text: string) => mutate(text, () => undefined, []), "unsigned"],
      [(text: string) => mutate(text, (signed) => (signed["x-note"] = "added")), "bad_signature"],
    ] as const) {
      const site = new TufSite({ hashes: false });
      expect(keysOf(site, role)).toHaveLength(1);
      site.files.set(file, change(site.files.get(file) as string));
      expect(await code(device(site).release())).toBe(expected);
    }
  });

  it.each([
    ["root", 365],
    ["timestamp", 1],
    ["snapshot", 7],
    ["targets", 90],
  ])("refuses an expired %s, from the very moment it names", async (role, days) => {
    const site = new TufSite();
    const until = now + days * day;
    for (const other of ["timestamp", "snapshot", "targets", "root"]) {
      if (other === role) continue;
      const file = {
        timestamp: "timestamp.json",
        snapshot: "1.snapshot.json",
        targets: "1.targets.json",
        root: "1.root.json",
      }[other];
      const late = (signed: Record<string, unknown>) => (signed.expires = "2099-01-01T00:00:00Z");
      if (file) site.files.set(file, mutate(site.files.get(file) as string, late, keysOf(site, other)));
    }
    const noHashes = (name: string, role: string) =>
      site.files.set(
        name,
        mutate(
          site.files.get(name) as string,
          (signed) => {
            for (const meta of Object.values(signed.meta as Record<string, Record<string, unknown>>)) {
              delete meta.hashes;
              delete meta.length;
            }
          },
          keysOf(site, role),
        ),
      );
    noHashes("1.snapshot.json", "snapshot");
    noHashes("timestamp.json", "timestamp");
    expect(await code(device(site).refresh(until - 1))).toBe("accepted");
    expect(await code(device(site).refresh(until))).toBe("expired");
  });

  it("[S7] refuses a timestamp that expired even where its version is the one already trusted", async () => {
    const it = device(new TufSite());
    await it.refresh();
    expect(await code(it.refresh(now + day))).toBe("expired");
  });

  it("[S9] refuses to go back: timestamp, the snapshot it names, and a file that the snapshot names", async () => {
    const site = new TufSite({ hashes: false });
    const old = new Map(site.files);
    site.publishTargets();
    site.publishSnapshot();
    const it = device(site);
    await it.refresh();
    const current = new Map(site.files);
    site.files.set("timestamp.json", old.get("timestamp.json") as string);
    expect(await code(it.refresh())).toBe("rollback");

    const stolenTimestampKey = mutate(
      current.get("timestamp.json") as string,
      (signed) => {
        signed.version = 9;
        signed.meta = { "snapshot.json": { version: 1 } };
      },
      keysOf(site, "timestamp"),
    );
    site.files.set("timestamp.json", stolenTimestampKey);
    expect(await code(it.refresh())).toBe("rollback");

    const snapshot = mutate(
      current.get("2.snapshot.json") as string,
      (signed) => {
        signed.version = 3;
        signed.meta = { "targets.json": { version: 1 }, [`${project}.json`]: { version: 1 } };
      },
      keysOf(site, "snapshot"),
    );
    site.files.set("3.snapshot.json", snapshot);
    const named = (signed: Record<string, unknown>) => {
      signed.version = 9;
      signed.meta = { "snapshot.json": { version: 3 } };
    };
    site.files.set("timestamp.json", mutate(current.get("timestamp.json") as string, named, keysOf(site, "timestamp")));
    expect(await code(it.refresh())).toBe("rollback");
    const dropped = (signed: Record<string, unknown>) => (signed.meta = { "targets.json": { version: 2 } });
    site.files.set("3.snapshot.json", mutate(snapshot, dropped, keysOf(site, "snapshot")));
    expect(await code(it.refresh())).toBe("rollback");
  });

  it("[S41] refuses parts of two releases together, wrong hashes and wrong lengths", async () => {
    const mixed = new TufSite({ hashes: false });
    mixed.publishTargets();
    mixed.files.set("1.targets.json", mixed.files.get("2.targets.json") as string);
    expect(await code(device(mixed).refresh())).toBe("invalid_metadata");

    for (const [field, value, expected] of [
      ["hashes", { sha256: "00".repeat(32) }, "digest_mismatch"],
      ["hashes", { sha512: "00".repeat(64) }, "digest_mismatch"],
      ["hashes", { md5: "00".repeat(16) }, "invalid_metadata"],
      ["length", 17, "length_mismatch"],
      ["length", 1_000_000, "length_mismatch"],
    ] as const) {
      const site = new TufSite({ hashes: false });
      const change = (signed: Record<string, unknown>) =>
        (signed.meta = { "snapshot.json": { version: 1, [field]: value } });
      site.files.set(
        "timestamp.json",
        mutate(site.files.get("timestamp.json") as string, change, keysOf(site, "timestamp")),
      );
      expect(await code(device(site).refresh())).toBe(expected);
    }
  });

  it("[S10] refuses endless data", async () => {
    const site = new TufSite();
    site.files.set("timestamp.json", " ".repeat(1 << 20) + site.files.get("timestamp.json"));
    expect(await code(device(site).refresh())).toBe("length_mismatch");
  });

  it("counts one key under two keyids once", async () => {
    const site = new TufSite({ hashes: false });
    const key = keysOf(site, "targets")[0] as SigningKey;
    const twin = { ...key, id: "twin" };
    const text = mutate(
      site.files.get("1.root.json") as string,
      (signed) => {
        (signed.keys as Record<string, unknown>).twin = keyJson(key);
        (signed.roles as Record<string, unknown>).targets = { keyids: [key.id, "twin"], threshold: 2 };
      },
      keysOf(site, "root"),
    );
    site.files.set("1.root.json", text);
    site.files.set(
      "1.targets.json",
      mutate(site.files.get("1.targets.json") as string, () => undefined, [key, twin]),
    );
    expect(await code(device(site).refresh())).toBe("bad_signature");
  });

  it("is not led astray by names that objects inherit", async () => {
    const site = new TufSite({ hashes: false });
    const change = (signed: Record<string, unknown>) =>
      ((signed.roles as Record<string, unknown>).targets = {
        keyids: ["constructor", "__proto__"],
        threshold: 1,
      });
    site.files.set("1.root.json", mutate(site.files.get("1.root.json") as string, change, keysOf(site, "root")));
    const forged = mutate(site.files.get("1.targets.json") as string, () => undefined, [
      { ...makeKey(), id: "constructor" },
    ]);
    site.files.set("1.targets.json", forged);
    expect(await code(device(site).refresh())).toBe("bad_signature");
  });
});

describe("rotation", () => {
  it("follows a chain of roots, each signed by the one before and by itself", async () => {
    const site = new TufSite();
    const it = device(site);
    await it.refresh();
    for (let i = 0; i < 3; i++) {
      const before = keysOf(site, "root");
      site.keys.root = [makeKey(), before[0] as SigningKey];
      site.publishRoot(before);
    }
    site.publishTimestamp();
    await it.refresh();
    expect(new TextDecoder().decode(it.kept.get("trust/root.json"))).toBe(site.files.get("4.root.json"));
  });

  it("[S11] refuses a root that the trusted one did not sign, that itself did not sign, or that leaves a number out", async () => {
    const foreign = new TufSite();
    foreign.keys.root = [makeKey(), makeKey()];
    foreign.publishRoot();
    expect(await code(device(foreign).refresh())).toBe("bad_signature");

    const unwilling = new TufSite();
    const old = keysOf(unwilling, "root");
    unwilling.keys.root = [makeKey(), makeKey()];
    unwilling.publishRoot(old);
    const signed = (JSON.parse(unwilling.files.get("2.root.json") as string) as { signed: Record<string, unknown> })
      .signed;
    unwilling.files.set("2.root.json", signRaw(signed, old));
    expect(await code(device(unwilling).refresh())).toBe("bad_signature");

    const skipping = new TufSite();
    skipping.publishRoot();
    skipping.publishRoot();
    skipping.files.set("2.root.json", skipping.files.get("3.root.json") as string);
    expect(await code(device(skipping).refresh())).toBe("invalid_metadata");
  });

  it("needs the threshold of the old root, not one key of it", async () => {
    const site = new TufSite();
    const [one] = keysOf(site, "root");
    site.keys.root = [makeKey(), makeKey()];
    site.publishRoot([one as SigningKey]);
    expect(await code(device(site).refresh())).toBe("bad_signature");
  });

  it("recovers from versions run ahead by a stolen online key, once the root rotates it", async () => {
    const site = new TufSite({ hashes: false });
    const it = device(site);
    site.versions.timestamp = 1_000_000;
    site.publishTimestamp();
    await it.refresh();
    site.versions.timestamp = 1;
    site.publishTimestamp();
    expect(await code(it.refresh())).toBe("rollback");
    site.keys.timestamp = [makeKey()];
    site.keys.snapshot = [makeKey()];
    site.publishRoot();
    site.publishSnapshot();
    expect(await code(it.refresh())).toBe("accepted");
  });

  it("asks the current delegator about a role it keeps: replaced keys count for nothing", async () => {
    const site = new TufSite();
    const it = device(site);
    expect(await it.release()).toBe(7);
    site.keys[project] = [makeKey()];
    site.publishTargets();
    site.publishSnapshot(); // the role's file is still the one signed by the key now replaced
    expect(await code(it.release())).toBe("bad_signature");
    site.publishProject();
    site.publishSnapshot();
    expect(await it.release()).toBe(7);
  });
});

describe("targets", () => {
  it("refuses what nobody signed, another length, another digest, another model", async () => {
    const it = device(new TufSite());
    const trusted = await it.refresh();
    expect(await code(trusted.release(model, "00".repeat(32), manifestLength))).toBe("unknown_target");
    expect(await code(trusted.release("other", digest, manifestLength))).toBe("unknown_target");
    expect(await code(trusted.release(model, digest, manifestLength + 1))).toBe("length_mismatch");
    for (const [change, expected] of [
      [{ hashes: { sha256: "00".repeat(32) } }, "digest_mismatch"],
      [{ custom: { model: "other", release: 7 } }, "invalid_metadata"],
      [{ custom: {} }, "invalid_metadata"],
    ] as const) {
      const site = new TufSite({ hashes: false });
      const text = mutate(
        site.files.get(`1.${project}.json`) as string,
        (signed) => {
          for (const target of Object.values(signed.targets as Record<string, object>)) Object.assign(target, change);
        },
        keysOf(site, project),
      );
      replaceProject(site, text);
      expect(await code(device(site).release())).toBe(expected);
    }
  });

  it("does not let a project's role speak for another's paths", async () => {
    const site = new TufSite({ hashes: false });
    const stolen = mutate(
      site.files.get(`1.${project}.json`) as string,
      (signed) => {
        signed.targets = {
          [`other/${digest}.json`]: { length: 5, hashes: { sha256: digest }, custom: { model: "other", release: 1 } },
        };
      },
      keysOf(site, project),
    );
    replaceProject(site, stolen);
    const trusted = await device(site).refresh();
    expect(await code(trusted.release("other", digest, 5))).toBe("unknown_target");
  });

  it("ends at a cycle of delegations", async () => {
    const site = new TufSite({ hashes: false });
    const key = keysOf(site, project)[0] as SigningKey;
    const text = mutate(
      site.files.get(`1.${project}.json`) as string,
      (signed) => {
        signed.targets = {};
        signed.delegations = {
          keys: { [key.id]: keyJson(key) },
          roles: [{ name: project, keyids: [key.id], threshold: 1, terminating: false, paths: [`${model}/*`] }],
        };
      },
      [key],
    );
    replaceProject(site, text);
    expect(await code(device(site).release())).toBe("unknown_target");
  });
});
