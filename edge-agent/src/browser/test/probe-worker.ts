/** Runs the page's adapters in a real dedicated worker and says what happened; `chromium.test.ts` asks it. */
import { concatBytes, fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { codeOf } from "@vedette/protocol/errors";
import { loadKernelsBrowser } from "@vedette/wasm-kernels/browser";
import { goldenRun } from "@vedette/wasm-kernels/golden-run";
import type { Storage, Tensor } from "../../core/ports.ts";
import { createTrustClient } from "../../core/verify/trust-client.ts";
import { createBesideBackend } from "../beside-backend.ts";
import { gzipCompressor } from "../gzip-compressor.ts";
import { openIndexedDbStorage } from "../indexed-db-storage.ts";
import { hasOpfs, openOpfsStorage } from "../opfs-storage.ts";
import { createOrtWebBackend } from "../ort-web-backend.ts";
import { openDeviceKey, webCrypto } from "../web-crypto.ts";
import { tinyModel } from "./tiny-model.ts";

export interface ProbeInput {
  readonly files: Readonly<Record<string, string>>;
  readonly root: string;
  readonly now: number;
  readonly target: { readonly model: string; readonly digest: string; readonly length: number };
  /** URL of ONNX Runtime's folder. */
  readonly runtime: string;
  /** Models and what they are asked with. */
  readonly asked: readonly {
    readonly model: Uint8Array<ArrayBuffer>;
    readonly feeds: Readonly<Record<string, Tensor>>;
  }[];
}

/** What a storage kept, when it was opened anew and before anything was written to it this time. */
async function probeStorage(open: () => Promise<Storage>) {
  const storage = await open();
  const kept = await storage.read("a/b/c.json");
  const keptLog = await storage.read("log/0.seg");
  await storage.write("a/b/c.json", utf8("one"));
  await Promise.all([storage.write("a/b/c.json", utf8("two")), storage.write("a/b/c.json", utf8("three"))]);
  await storage.write("a/b/d.json", utf8("gone"));
  const listed = await storage.list("a/b");
  await storage.remove("a/b/d.json");
  await storage.remove("a/b/never.json");
  const log = await storage.append("log/0.seg");
  log.append(utf8("x"));
  log.append(utf8("y"));
  const whileOpen = await storage.read("log/0.seg");
  await log.sync();
  await log.close();
  return {
    kept: kept && fromUtf8(kept),
    keptLog: keptLog && fromUtf8(keptLog),
    now: fromUtf8((await storage.read("a/b/c.json")) as Uint8Array),
    listed,
    after: await storage.list("a/b"),
    logs: await storage.list("log"),
    missing: (await storage.read("no/such")) === undefined,
    none: await storage.list("nowhere"),
    whileOpen: whileOpen && fromUtf8(whileOpen),
    traversal: await storage.read("../x").then(() => "read", codeOf),
  };
}

/** Opens and reads while the browser collects all that nobody holds: how many of `times` came to an end. */
async function endedAmidCollection(times: number): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) throw new Error("start the browser with --js-flags=--expose-gc");
  const storage = await openOpfsStorage("collected");
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    gc();
    port2.postMessage(null);
  };
  port2.postMessage(null);
  let ended = 0;
  for (let i = 0; i < times; i++) {
    const work = storage
      .append(`a/${i}`)
      .then((file) => file.close())
      .then(() => storage.read(`a/${i}`))
      .then(() => void ended++);
    await Promise.race([work, new Promise((resolve) => setTimeout(resolve, 1_000))]);
  }
  port1.close();
  return ended;
}

async function answersOf({ runtime, asked }: ProbeInput) {
  const answers: Readonly<Record<string, Tensor>>[] = [];
  for (const { model, feeds } of asked) {
    const session = await createOrtWebBackend(new URL(runtime)).load(model);
    const names = session.outputs.map(({ name }) => name);
    answers.push(await session.run(feeds, names));
    await session.release();
  }
  return answers;
}

/** A model in a worker of its own, beside whatever else runs: what it says, and what is said once it is gone. */
async function besideOf(runtime: string) {
  const backend = createBesideBackend(new URL(runtime));
  const session = await backend.load(tinyModel());
  const x = { datatype: "FP32", shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) } as const;
  const { y } = await session.run({ x }, ["y"]);
  const wrong = await session.run({ z: x }, ["y"]).then(() => "ran", codeOf);
  const left = session.run({ x }, ["y"]).then(() => "ran", codeOf);
  await session.release();
  return {
    y: Array.from((y as Tensor).data as Float32Array),
    outputs: session.outputs,
    ranMs: session.ranMs,
    wrong,
    left: await left,
    gone: await session.run({ x }, ["y"]).then(() => "ran", codeOf),
    noModel: await backend.load(utf8("no model")).then(() => "loaded", codeOf),
  };
}

async function probe(input: ProbeInput) {
  const { files, root, now, target, runtime } = input;
  const storage = await openOpfsStorage("trust-probe");
  const trust = createTrustClient({ storage, crypto: webCrypto, pinnedRoot: root });
  const trusted = await trust.refresh(async (file) => files[file], now);
  const [key, again] = [await openDeviceKey("probe"), await openDeviceKey("probe")];
  const signature = await key.sign(utf8("hello"));
  const session = await createOrtWebBackend(new URL(runtime)).load(tinyModel());
  const x = { datatype: "FP32", shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) } as const;
  const { y } = await session.run({ x }, ["y"]);
  const golden = async (variant: "simd" | "scalar") => {
    const parts: Uint8Array[] = [];
    goldenRun(await loadKernelsBrowser(variant), (bytes) => parts.push(bytes.slice()));
    return webCrypto.sha256(concatBytes(parts));
  };
  const kernels = await loadKernelsBrowser();
  const packed = await gzipCompressor.compress(new Uint8Array(10_000));
  return {
    opfs: await hasOpfs(),
    isolated: globalThis.crossOriginIsolated,
    storage: await probeStorage(() => openOpfsStorage("probe")),
    endedAmidCollection: await endedAmidCollection(20),
    indexedDb: await probeStorage(() => openIndexedDbStorage("probe")),
    release: await trusted.release(target.model, target.digest, target.length),
    expired: await trust.refresh(async (file) => files[file], now + 2 * 86_400_000).then(() => "accepted", codeOf),
    sameKey: key.publicKeyHex === again.publicKeyHex,
    key: key.publicKeyHex,
    verified: await webCrypto.verify(key.publicKeyHex, utf8("hello"), signature),
    forged: await webCrypto.verify(key.publicKeyHex, utf8("hullo"), signature),
    model: { inputs: session.inputs, outputs: session.outputs, y: Array.from((y as Tensor).data as Float32Array) },
    noModel: await createOrtWebBackend(new URL(runtime))
      .load(utf8("no model"))
      .then(() => "loaded", codeOf),
    beside: await besideOf(runtime),
    kernels: kernels.variant,
    golden: [await golden("simd"), await golden("scalar")],
    packed: packed.length,
    answers: await answersOf(input),
  };
}
export type ProbeResult = Awaited<ReturnType<typeof probe>>;

addEventListener("message", (event: MessageEvent<ProbeInput>) => {
  probe(event.data).then(
    (result) => postMessage({ result }),
    (error: unknown) =>
      postMessage({ error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) }),
  );
});
