import { utf8 } from "@vedette/protocol/bytes";
import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryLogger } from "../../sim/memory-ports.ts";
import { createFakePeer, type FakePeer, type Published, testCrypto } from "../test/fake-peer.ts";
import { createBundleStore } from "./bundle-store.ts";

async function fill(store: ReturnType<typeof createBundleStore>, peer: FakePeer, version: Published) {
  await store.putManifest(version.digest, version.bytes);
  for (const file of version.manifest.files) {
    for (const chunk of file.chunks) await store.putChunk(chunk, peer.blobs.get(chunk.sha256) ?? new Uint8Array());
  }
}

function setUp() {
  const disk = createMemoryDisk();
  const store = createBundleStore({ storage: disk.start(), crypto: testCrypto, log: createMemoryLogger() });
  const peer = createFakePeer({ now: () => 0 });
  return { disk, store, peer };
}

describe("bundle store", () => {
  it("gives back whole files, and believes no bytes that it finds", async () => {
    const { disk, store, peer } = setUp();
    const version = peer.publish("rain", 1, { scale: 2 });
    await fill(store, peer, version);
    const chunk = version.manifest.files[0]?.chunks[0] ?? { sha256: "", length: 0 };
    expect((await store.file(version.manifest, "model.onnx")).length).toBe(version.manifest.files[0]?.size);
    expect(await store.hasChunk(chunk)).toBe(true);
    disk.poke(`chunks/${chunk.sha256}`, new Uint8Array(chunk.length));
    expect(await store.hasChunk(chunk)).toBe(false);
    await expect(store.file(version.manifest, "model.onnx")).rejects.toMatchObject({ code: "digest_mismatch" });
    await expect(store.file(version.manifest, "other")).rejects.toMatchObject({ code: "not_found" });
    disk.poke(`manifests/${version.digest}.json`, utf8("{}"));
    expect(await store.manifest(version.digest)).toBeUndefined();
  });

  it("[D1] writes nothing that is not what its name says", async () => {
    const { disk, store, peer } = setUp();
    const version = peer.publish("rain", 1, { scale: 2 });
    const chunk = version.manifest.files[0]?.chunks[0] ?? { sha256: "", length: 0 };
    await expect(store.putChunk(chunk, new Uint8Array(chunk.length))).rejects.toMatchObject({
      code: "digest_mismatch",
    });
    await expect(store.putChunk(chunk, new Uint8Array(1))).rejects.toMatchObject({ code: "length_mismatch" });
    await expect(store.putManifest(version.digest, utf8("{}"))).rejects.toMatchObject({ code: "digest_mismatch" });
    expect(disk.paths()).toEqual([]);
  });

  it("evicts what no kept manifest needs, and keeps chunks that are shared", async () => {
    const { disk, store, peer } = setUp();
    const [first, second] = [peer.publish("rain", 1, { scale: 2 }), peer.publish("rain", 2, { scale: 2 })];
    await fill(store, peer, first);
    await fill(store, peer, second);
    await store.keep(new Set([second.digest]));
    expect(await store.manifest(first.digest)).toBeUndefined();
    for (const file of second.manifest.files)
      expect((await store.file(second.manifest, file.path)).length).toBe(file.size);
    const needed = new Set(
      second.manifest.files.flatMap((file) => file.chunks.map((chunk) => `chunks/${chunk.sha256}`)),
    );
    expect(disk.paths().filter((path) => path.startsWith("chunks/"))).toEqual([...needed].sort());
    await store.keep(new Set());
    expect(disk.paths()).toEqual([]);
  });
});
