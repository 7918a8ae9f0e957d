/** A whole site in this process for one device: HTTP to join, a real broker, TUF, a director, blobs, and acks for logs. */
import { createHash, type KeyObject, sign } from "node:crypto";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { zstdDecompressSync } from "node:zlib";
import { encodeManifest, type Manifest } from "@vedette/protocol/bundle";
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import type { AssignedSlot, Reported, Request } from "@vedette/protocol/messages";
import { decodeBatch, openFrame, type PredictionBatch } from "@vedette/protocol/prediction-batch";
import { signedBytes } from "@vedette/protocol/signed";
import { parseTopic, topics } from "@vedette/protocol/topics";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { Aedes } from "aedes";
import { tinyModel } from "./onnx-model.ts";
import { TestRepository } from "./tuf-repository.ts";

const site = "demo";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export class TestSite {
  readonly repository = new TestRepository(Date.now());
  readonly batches: PredictionBatch[] = [];
  readonly reports: Reported[] = [];
  /** What stands between the device and an honest answer. */
  tell: (request: Request, honest: string | undefined) => string | undefined = (_, honest) => honest;
  slots: AssignedSlot[] = [];
  rev = 1;
  private readonly manifests = new Map<string, string>();
  private readonly broker: Aedes;
  private readonly mqtt: Server;
  private readonly http: HttpServer;

  private constructor(broker: Aedes) {
    this.broker = broker;
    this.mqtt = createServer((socket) => broker.handle(socket));
    this.http = createHttpServer((incoming, outgoing) => {
      const urls = { mqttUrl: `mqtt://127.0.0.1:${portOf(this.mqtt)}`, mqttWsUrl: "ws://127.0.0.1:1" };
      const answers: Record<string, unknown> = {
        "/v1/enroll": { site, agent: "station-1", root: this.repository.firstRoot, labels: {}, ...urls },
        "/v1/device-token": { token: "jwt", expiresAt: "2030-01-01T00:00:00Z", time: Date.now(), ...urls },
      };
      incoming.resume();
      outgoing.end(JSON.stringify(answers[incoming.url ?? ""]));
    });
    broker.on("publish", (packet, client) => {
      if (client) this.takes(client.id, packet.topic, new Uint8Array(packet.payload as Buffer));
    });
  }

  static async start(): Promise<TestSite> {
    const one = new TestSite(await Aedes.createBroker());
    for (const server of [one.mqtt, one.http]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    }
    return one;
  }

  get token(): string {
    const rootSha256 = sha256(utf8(this.repository.firstRoot));
    const token = { url: `http://127.0.0.1:${portOf(this.http)}`, site, secret: "5".repeat(64), rootSha256 };
    return Buffer.from(JSON.stringify(token)).toString("base64url");
  }

  /** Publishes the tiny classifier as a release of `rain`, and assigns it to everybody who asks. */
  async release(): Promise<string> {
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
        this.file("model.onnx", tinyModel(false)),
        this.file("golden.json", utf8(JSON.stringify(golden))),
        this.file("reference.bin", kernels.buildReference(["temp", "wind"], table)),
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
      requires: { capability: 1, opset: 17, kernelAbi: 1, backends: ["node-cpu"] },
      log: { inputs: "full" },
      lineage: {},
    };
    const bytes = encodeManifest(manifest);
    const digest = sha256(bytes);
    this.manifests.set(digest, fromUtf8(bytes));
    const path = `rain/${digest}.json`;
    this.repository.state.targets = [{ path, bytes: Buffer.from(bytes), custom: { model: "rain", release: 3 } }];
    this.repository.next();
    this.slots = [{ model: "rain", digest, length: bytes.length, release: 3 }];
    return digest;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.broker.close(() => resolve()));
    this.http.closeAllConnections();
    for (const server of [this.mqtt, this.http]) await new Promise((resolve) => server.close(resolve));
  }

  private file(path: string, bytes: Uint8Array) {
    const chunk = { sha256: sha256(bytes), length: bytes.length };
    this.say(topics(site).blob(chunk.sha256), Buffer.from(bytes), true);
    return { path, sha256: chunk.sha256, size: bytes.length, chunks: [chunk] };
  }

  private say(topic: string, payload: Buffer | string, retain = false): void {
    this.broker.publish({ cmd: "publish", topic, payload, qos: 0, retain, dup: false }, () => undefined);
  }

  private takes(agent: string, topic: string, payload: Uint8Array): void {
    const parsed = parseTopic(topic);
    if (parsed?.kind === "req") this.answer(agent, bodyOf(payload) as Request);
    if (parsed?.kind === "reported") this.reports.push(bodyOf(payload) as Reported);
    if (parsed?.kind !== "log") return;
    const batch = decodeBatch(zstdDecompressSync(openFrame(payload).compressed));
    this.batches.push(batch);
    const { epoch, seq } = batch.header;
    this.say(topics(site).ack(agent, parsed.stream), JSON.stringify({ epoch, upTo: seq, also: [] }));
  }

  private answer(agent: string, request: Request): void {
    const text = this.tell(request, this.textFor(agent, request));
    const error = { code: "not_found", message: "there is none" };
    const part = text === undefined ? { id: request.id, error } : { id: request.id, i: 0, of: 1, text };
    this.say(topics(site).response(agent), JSON.stringify(part));
  }

  private textFor(agent: string, request: Request): string | undefined {
    if (request.kind === "metadata") return this.repository.files.get(request.file);
    if (request.kind === "manifest") return this.manifests.get(request.digest);
    const { rev, slots, repository } = this;
    const payload = JSON.stringify({ site, agent, rev, issued: Date.now(), nonce: request.nonce, slots });
    const sig = signHex(repository.director.privateKey, signedBytes("assignment", payload));
    const assignment = { payload, signatures: [{ keyid: repository.director.key.keyID, sig }] };
    const stored = request.streams.map((each) => ({ ...each, upTo: -1 }));
    return JSON.stringify({ assignment, stored, time: Date.now() });
  }
}

/** What a device said, in its signed envelope. */
function bodyOf(payload: Uint8Array): unknown {
  const { payload: signed } = JSON.parse(fromUtf8(payload)) as { payload: string };
  return JSON.parse(signed.slice(signed.indexOf("\n") + 1));
}

const signHex = (key: KeyObject, message: Uint8Array) => sign(null, message, key).toString("hex");
const portOf = (server: Server | HttpServer) => (server.address() as AddressInfo).port;
