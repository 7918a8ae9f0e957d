/**
 * A whole site in this process for one device: HTTP to join, TUF, a director, blobs, and acks for logs. Devices reach it by a
 * broker of its own, or by the line it is given (fixtures/src/brokers/lying-site.ts).
 */
import { createHash, type KeyObject, sign } from "node:crypto";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { text } from "node:stream/consumers";
import { zstdDecompressSync } from "node:zlib";
import { encodeManifest, type Manifest } from "@vedette/protocol/bundle";
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import type { Ack, AssignedSlot, Reported, Request } from "@vedette/protocol/messages";
import { decodeBatch, openFrame, type PredictionBatch } from "@vedette/protocol/prediction-batch";
import { signedBytes } from "@vedette/protocol/signed";
import { parseTopic, topics } from "@vedette/protocol/topics";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { Aedes } from "aedes";
import { tinyModel } from "./onnx-model.ts";
import { type SigningKey, TestRepository } from "./tuf-repository.ts";

const site = "demo";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** How devices reach a site. */
export interface Line {
  /** What devices are told of the broker. */
  readonly login: Readonly<Record<string, string>>;
  /** A client certificate for a device's key, where the broker asks for one. PEM. */
  certify(agent: string, publicKeyHex: string): Promise<string | undefined>;
  /** Makes the site's chunks ready to be fetched. */
  offer(): Promise<void>;
  close(): Promise<void>;
}

export class TestSite {
  readonly repository: TestRepository;
  readonly batches: PredictionBatch[] = [];
  readonly reports: Reported[] = [];
  readonly blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  /** What stands between the device and an honest answer. */
  tell: (request: Request, honest: string | undefined) => string | undefined = (_, honest) => honest;
  slots: AssignedSlot[] = [];
  rev = 1;
  /** Whose key signs assignments. */
  director: SigningKey;
  /** What the director takes the time to be. UTC ms. */
  now: () => number = Date.now;
  private readonly manifests = new Map<string, string>();
  private line: Line | undefined;
  private readonly http: HttpServer;

  private constructor(repository: TestRepository) {
    this.repository = repository;
    this.director = repository.director;
    this.http = createHttpServer((incoming, outgoing) => {
      text(incoming)
        .then((body) => this.join(incoming.url ?? "", body === "" ? {} : JSON.parse(body)))
        .then((answer) => outgoing.end(JSON.stringify(answer)))
        .catch((error: unknown) => outgoing.destroy(error instanceof Error ? error : new Error(String(error))));
    });
  }

  /** @param open by default a broker of its own. */
  static async start(
    open: (site: TestSite) => Promise<Line> = startOwnBroker,
    repository = new TestRepository(Date.now()),
  ): Promise<TestSite> {
    const one = new TestSite(repository);
    one.line = await open(one);
    await new Promise<void>((resolve) => one.http.listen(0, "127.0.0.1", resolve));
    return one;
  }

  get token(): string {
    const rootSha256 = sha256(utf8(this.repository.firstRoot));
    const token = { url: `http://127.0.0.1:${portOf(this.http)}`, site, secret: "5".repeat(64), rootSha256 };
    return Buffer.from(JSON.stringify(token)).toString("base64url");
  }

  /**
   * Publishes the tiny classifier as a release of `rain`, and assigns it to everybody who asks.
   * @param given.model its graph. @param given.chunkBytes longest chunk.
   * @param given.tamper changes the chunks before anybody can fetch them.
   */
  async release(
    given: {
      release?: number;
      model?: Uint8Array;
      chunkBytes?: number;
      tamper?: (blobs: Map<string, Uint8Array<ArrayBuffer>>) => void;
    } = {},
  ): Promise<string> {
    const { release = 3, model = tinyModel(false), chunkBytes = 100_000 } = given;
    const kernels = await loadKernelsNode();
    const table = Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i * 12.9898) * 3);
    const golden = {
      rows: [
        [0, 0],
        [1, 3],
      ],
      outputs: { scores: [0.5, 0.5, 1 / (1 + Math.exp(2)), 1 / (1 + Math.exp(-2))], label: [0, 1] },
      tolerance: { "node-cpu": { absolute: 1e-5, relative: 0 }, wasm: { absolute: 1e-5, relative: 0 } },
    };
    const x = { name: "x", datatype: "FP32" as const, shape: [-1, 2] };
    const outputs = [
      { name: "scores", datatype: "FP32" as const, shape: [-1, 2] },
      { name: "label", datatype: "INT64" as const, shape: [-1] },
    ];
    const field = (name: string, column: number) =>
      ({ name, kind: "number", tensor: "x", column, required: true, outOfRange: "count" }) as const;
    const manifest: Manifest = {
      format: "vedette.bundle/1",
      critical: [],
      model: "rain",
      createdAt: "2026-01-01T00:00:00Z",
      files: [
        this.file("model.onnx", model, chunkBytes),
        this.file("golden.json", utf8(JSON.stringify(golden)), chunkBytes),
        this.file("reference.bin", kernels.buildReference(["temp", "wind"], table), chunkBytes),
      ],
      runtime: { file: "model.onnx", inputs: [x], outputs },
      features: { plan: "identity", hash: identityPlanHash },
      input: { fields: [field("temp", 0), field("wind", 1)], tensors: [x] },
      output: {
        task: "classification",
        classes: ["0", "1"],
        scores: { tensor: "scores", activation: "none" },
        label: { tensor: "label" },
        tensors: outputs,
      },
      drift: { file: "reference.bin", alpha: 0.01, windowRows: 50 },
      fallback: { cache: null, rules: null, confidenceFloor: null },
      golden: { file: "golden.json" },
      limits: { latencyMs: 2000, memoryBytes: 1e9 },
      freshUntil: null,
      requires: { capability: 1, opset: 17, kernelAbi: 2, backends: ["node-cpu"] },
      log: { inputs: "full" },
      lineage: { release },
    };
    const bytes = encodeManifest(manifest);
    const digest = sha256(bytes);
    this.manifests.set(digest, fromUtf8(bytes));
    const target = { path: `rain/${digest}.json`, bytes: Buffer.from(bytes), custom: { model: "rain", release } };
    this.repository.state.targets = [...this.repository.state.targets, target];
    this.repository.next();
    this.slots = [{ model: "rain", digest, length: bytes.length, release }];
    given.tamper?.(this.blobs);
    await this.offer();
    return digest;
  }

  async close(): Promise<void> {
    await this.line?.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** Makes the chunks as they are now ready to be fetched. */
  async offer(): Promise<void> {
    await this.line?.offer();
  }

  /** What a device's question is answered with; undefined: not found. */
  answer(agent: string, request: Request): string | undefined {
    return this.tell(request, this.textFor(agent, request));
  }

  /** Stores a batch. */
  take(frame: Uint8Array): Ack {
    const batch = decodeBatch(zstdDecompressSync(openFrame(frame).compressed));
    this.batches.push(batch);
    const { epoch, seq } = batch.header;
    return { epoch, upTo: seq, also: [] };
  }

  private async join(path: string, asked: { agent?: string; publicKey?: string }): Promise<unknown> {
    const urls = { mqttWsUrl: "ws://127.0.0.1:1", ...this.line?.login };
    if (path !== "/v1/enroll") return { token: "jwt", expiresAt: "2030-01-01T00:00:00Z", time: Date.now(), ...urls };
    const { agent = "", publicKey = "" } = asked;
    const certificate = await this.line?.certify(agent, publicKey);
    return { site, agent, root: this.repository.firstRoot, labels: {}, ...(certificate && { certificate }), ...urls };
  }

  private file(path: string, bytes: Uint8Array, chunkBytes: number) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const piece = bytes.slice(at, at + chunkBytes);
      const chunk = { sha256: sha256(piece), length: piece.length };
      this.blobs.set(chunk.sha256, piece);
      chunks.push(chunk);
    }
    return { path, sha256: sha256(bytes), size: bytes.length, chunks };
  }

  private textFor(agent: string, request: Request): string | undefined {
    if (request.kind === "metadata") return this.repository.files.get(request.file);
    if (request.kind === "manifest") return this.manifests.get(request.digest);
    const { rev, slots, director } = this;
    const payload = JSON.stringify({ site, agent, rev, issued: this.now(), nonce: request.nonce, slots });
    const sig = signHex(director.privateKey, signedBytes("assignment", payload));
    const assignment = { payload, signatures: [{ keyid: director.key.keyID, sig }] };
    const stored = request.streams.map((each) => ({ ...each, upTo: -1 }));
    return JSON.stringify({ assignment, stored, time: this.now() });
  }
}

/** The plainest broker, in this process. */
async function startOwnBroker(one: TestSite): Promise<Line> {
  const broker = await Aedes.createBroker();
  const server = createServer((socket) => broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const names = topics(site);
  const say = (topic: string, payload: Buffer | string, retain = false) =>
    broker.publish({ cmd: "publish", topic, payload, qos: 0, retain, dup: false }, () => undefined);
  broker.on("publish", (packet, client) => {
    const parsed = parseTopic(packet.topic);
    if (!client || !parsed) return;
    const payload = new Uint8Array(packet.payload as Buffer);
    if (parsed.kind === "log") say(names.ack(client.id, parsed.stream), JSON.stringify(one.take(payload)));
    if (parsed.kind === "reported") one.reports.push(JSON.parse(bodyOf(fromUtf8(payload))) as Reported);
    if (parsed.kind !== "req") return;
    const request = JSON.parse(bodyOf(fromUtf8(payload))) as Request;
    const text = one.answer(client.id, request);
    const error = { code: "not_found", message: "there is none" };
    const part = text === undefined ? { id: request.id, error } : { id: request.id, i: 0, of: 1, text };
    say(names.response(client.id), JSON.stringify(part));
  });
  return {
    login: { mqttUrl: `mqtt://127.0.0.1:${portOf(server)}` },
    certify: async () => undefined,
    offer: async () => {
      for (const [sha256, bytes] of one.blobs) say(names.blob(sha256), Buffer.from(bytes), true);
    },
    async close() {
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a device said, in its signed envelope. */
export function bodyOf(text: string): string {
  const { payload } = JSON.parse(text) as { payload: string };
  return payload.slice(payload.indexOf("\n") + 1);
}

const signHex = (key: KeyObject, message: Uint8Array) => sign(null, message, key).toString("hex");
const portOf = (server: Server | HttpServer) => (server.address() as AddressInfo).port;
