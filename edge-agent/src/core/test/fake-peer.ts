/**
 * The other end, scripted: a director that signs, a broker that retains, blobs; with a hook for each way to misbehave.
 * Signatures and hashes are real; TUF is one JSON file, since the trust client is a port.
 */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { encodeManifest, type Manifest } from "@vedette/protocol/bundle";
import { fromUtf8, toHex, utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { AssignedSlot, Assignment, Heartbeat, HelloAnswer, Reported, Request } from "@vedette/protocol/messages";
import { type ShadowParcel, shadowParcel } from "@vedette/protocol/shadow";
import { signedBytes } from "@vedette/protocol/signed";
import type { Split } from "@vedette/protocol/split";
import { topics } from "@vedette/protocol/topics";
import { targetsExtension } from "@vedette/protocol/trust";
import { cutFile, linearGolden, linearManifest } from "../../sim/linear-bundle.ts";
import type { Crypto, DeviceKey, Transport, TrustClient } from "../ports.ts";

type Bytes = Uint8Array<ArrayBuffer>;
export const site = "demo";
export const agentName = "station-1";
const topic = topics(site);
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export const testCrypto: Crypto = {
  sha256: async (bytes) => sha256(bytes),
  hash: (bytes) => createHash("sha256").update(bytes).digest(),
  async verify(key, message, signature) {
    const der = Buffer.concat([spkiPrefix, Buffer.from(key, "hex")]);
    return verify(
      null,
      message,
      createPublicKey({ key: der, format: "der", type: "spki" }),
      Buffer.from(signature, "hex"),
    );
  },
};

export const testKey: DeviceKey = (() => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(spkiPrefix.length);
  return {
    publicKeyHex: raw.toString("hex"),
    sign: async (message) => sign(null, message, privateKey).toString("hex"),
  };
})();

export function newKey(): { id: string; publicHex: string; key: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(spkiPrefix.length);
  return { id: sha256(raw), publicHex: raw.toString("hex"), key: privateKey };
}

/** What the fake backend makes of a "model": y = scale · x, or trouble. */
export interface FakeModel {
  readonly scale: number;
  /** The scale that its golden vectors were made with, where that is another. */
  readonly claims?: number;
  /** No model that loads. */
  readonly broken?: true;
  readonly output?: string;
  /** Answers this, once it has run more often than its proof needs. */
  readonly later?: {
    readonly afterRuns: number;
    readonly forRuns?: number;
    readonly answer: "throw" | "nan" | "slow" | "hang";
  };
  readonly runMs?: number;
}

export interface Published extends AssignedSlot {
  readonly manifest: Manifest;
  readonly bytes: Bytes;
}

export function createFakePeer(options: { now: () => number }) {
  const director = newKey();
  const blobs = new Map<string, Bytes>();
  const manifests = new Map<string, string>();
  const targets: Record<string, { release: number; length: number }> = {};
  const peer = {
    director,
    signWith: director,
    blobs,
    manifests,
    targets,
    floors: {} as Record<string, number>,
    expires: Number.MAX_SAFE_INTEGER,
    rev: 0,
    slots: [] as AssignedSlot[],
    /** Retained topics that the broker is silent on. */
    silent: new Set<string>(),
    /** Chunks as the broker and the pull answer send them, where that is not what they are. */
    wrongRetained: new Map<string, Bytes>(),
    wrongPulled: new Map<string, Bytes>(),
    changeAssignment: (assignment: Assignment): Assignment => assignment,
    unsigned: false,
    initialised: true,
    /** No answer to requests. */
    mute: false,
    partChars: 200,
    requests: [] as Request[],
    reports: [] as Reported[],
    beats: [] as Heartbeat[],
    /** What came on …/shadow, and whether it is answered. */
    parcels: [] as ShadowParcel[],
    acksParcels: true,
    presence: [] as { on: number; sid: number }[],
    subscriptions: [] as string[],
    pulls: [] as string[],
    /** Chunks asked of the broker, ever. */
    asked: [] as string[],
    retained: new Map<string, string>(),
    deliver: undefined as ((to: string, payload: Bytes) => void) | undefined,

    /** Publishes a bundle and lists it as a target. */
    publish(
      model: string,
      release: number,
      behaviour: FakeModel,
      change: (m: Manifest) => Manifest = (m) => m,
    ): Published {
      const text = JSON.stringify({ ...behaviour, pad: `${release}`.padStart(90, "-") });
      const keep = (name: string, bytes: Bytes) => void blobs.set(name, bytes);
      const file = (path: string, text: string) => cutFile(path, text, 40, { sha256, keep });
      const manifest = change(
        linearManifest({
          model,
          createdAt: "2026-01-01T00:00:00Z",
          files: [
            file("model.onnx", behaviour.broken ? `not ${text}` : text),
            file("golden.json", linearGolden(behaviour.claims ?? behaviour.scale)),
            file("reference.bin", `reference of ${model}`),
          ],
        }),
      );
      const bytes = encodeManifest(manifest);
      const digest = sha256(bytes);
      manifests.set(digest, fromUtf8(bytes));
      targets[`${model}/${digest}`] = { release, length: bytes.length };
      return { model, digest, length: bytes.length, release, manifest, bytes };
    },
    assignSilently(...versions: Published[]) {
      peer.rev++;
      peer.slots = versions.map(({ model, digest, length, release }) => ({ model, digest, length, release }));
    },
    /** Assigns one to answer and another beside it, and hints at it. */
    /** @param split the second one answers these entities, instead of being asked beside. */
    assignBeside(version: Published, beside: Published, sample = 1, split?: Split) {
      peer.assignSilently(version);
      const { digest, length, release } = beside;
      peer.slots = peer.slots.map((slot) => ({ ...slot, beside: { digest, length, release, sample, split } }));
      peer.retain(topic.desired(agentName), JSON.stringify({ rev: peer.rev }));
    },
    /** Assigns, and hints at it. */
    assign(...versions: Published[]) {
      peer.assignSilently(...versions);
      peer.retain(topic.desired(agentName), JSON.stringify({ rev: peer.rev }));
    },
    retain(to: string, payload: string) {
      peer.retained.set(to, payload);
      if (peer.subscriptions.includes(to)) peer.deliver?.(to, utf8(payload));
    },
    signed(nonce: string): NonNullable<HelloAnswer["assignment"]> {
      const { rev, slots } = peer;
      const said = { site, agent: agentName, rev, issued: options.now(), nonce, slots };
      const payload = JSON.stringify(peer.changeAssignment(said));
      const signature = sign(null, signedBytes("assignment", payload), peer.signWith.key).toString("hex");
      return { payload, signatures: peer.unsigned ? [] : [{ keyid: peer.signWith.id, sig: signature }] };
    },
    answer(request: Request): string {
      if (request.kind === "hello") {
        const assignment = peer.initialised ? peer.signed(request.nonce) : null;
        const stored = request.streams.map((each) => ({ ...each, upTo: -1 }));
        return JSON.stringify({ assignment, stored, time: options.now() });
      }
      if (request.kind === "metadata") {
        const keys = { [director.id]: director.publicHex };
        const extension = { director: { keys, threshold: 1 }, floors: peer.floors };
        return JSON.stringify({ expires: peer.expires, extension, targets });
      }
      const text = manifests.get(request.digest);
      if (text === undefined) throw new VedetteError("not_found", `no manifest ${request.digest}`);
      return text;
    },
    takes(to: string, said: string) {
      const text = bodyOf(said);
      if (to === topic.request(agentName)) return respond(JSON.parse(text) as Request);
      if (to === topic.reported(agentName)) peer.reports.push(JSON.parse(text) as Reported);
      if (to === topic.shadow(agentName)) return shadowed(shadowParcel.parse(JSON.parse(text)));
      if (to === topic.heartbeat(agentName)) peer.beats.push(JSON.parse(text) as Heartbeat);
      if (to === topic.presence(agentName)) peer.presence.push(JSON.parse(text) as { on: number; sid: number });
      if (to !== topic.pull(agentName)) return;
      for (const chunk of (JSON.parse(text) as { chunks: string[] }).chunks) {
        peer.pulls.push(chunk);
        const bytes = peer.wrongPulled.get(chunk) ?? blobs.get(chunk);
        if (bytes) peer.deliver?.(topic.chunk(agentName, chunk), bytes);
      }
    },
    subscribed(to: string) {
      peer.subscriptions.push(to);
      const text = peer.retained.get(to);
      if (text !== undefined) peer.deliver?.(to, utf8(text));
      const chunk = /\/blob\/([0-9a-f]{64})$/.exec(to)?.[1];
      if (chunk) peer.asked.push(chunk);
      const bytes = chunk && !peer.silent.has(chunk) ? (peer.wrongRetained.get(chunk) ?? blobs.get(chunk)) : undefined;
      if (bytes) peer.deliver?.(to, bytes);
    },
  };

  function shadowed(parcel: ShadowParcel): void {
    peer.parcels.push(parcel);
    const { epoch, n } = parcel.window;
    if (peer.acksParcels) peer.deliver?.(topic.shadowAck(agentName), utf8(JSON.stringify({ epoch, n })));
  }
  function respond(request: Request): void {
    peer.requests.push(request);
    if (peer.mute) return;
    const send = (part: unknown) => peer.deliver?.(topic.response(agentName), utf8(JSON.stringify(part)));
    try {
      const text = peer.answer(request);
      const size = Math.max(peer.partChars, Math.ceil(text.length / 64));
      const of = Math.max(1, Math.ceil(text.length / size));
      // Last part first: parts need not come in order.
      for (let i = of - 1; i >= 0; i--) send({ id: request.id, i, of, text: text.slice(i * size, (i + 1) * size) });
    } catch (error) {
      if (!(error instanceof VedetteError)) throw error;
      send({ id: request.id, error: { code: error.code, message: error.message } });
    }
  }
  return peer;
}
export type FakePeer = ReturnType<typeof createFakePeer>;

/** The body of a signed message; a batch is as it is. */
function bodyOf(said: string): string {
  if (!said.startsWith('{"payload"')) return said;
  const { payload } = JSON.parse(said) as { payload: string };
  return payload.slice(payload.indexOf("\n") + 1);
}

/** A connection to the peer for one process of the agent; `connect` and `disconnect` are the network's. */
export function createFakeTransport(peer: FakePeer, sid: number) {
  let handlers: Parameters<Transport["start"]>[0] | undefined;
  let up = false;
  const offline = () => new VedetteError("offline", "not connected to the broker");
  /** As MQTT counts: topic, payload, and a few bytes of header. */
  const bytes = { sent: 0, received: 0 };
  const count = (way: "sent" | "received", to: string, payload: { length: number } = "") => {
    bytes[way] += to.length + payload.length + 8;
  };
  const transport: Transport & { connect(): void; disconnect(): void } = {
    sid,
    bytes,
    get connected() {
      return up;
    },
    start(given) {
      handlers = given;
    },
    async publish(to, payload) {
      if (!up) throw offline();
      count("sent", to, payload);
      const text = typeof payload === "string" ? payload : toHex(payload);
      queueMicrotask(() => up && peer.takes(to, text));
    },
    async subscribe(to) {
      if (!up) throw offline();
      count("sent", to);
      queueMicrotask(() => up && peer.subscribed(to));
    },
    async unsubscribe(to) {
      if (!up) throw offline();
      peer.subscriptions = peer.subscriptions.filter((each) => each !== to);
    },
    async close() {
      transport.disconnect();
    },
    connect() {
      up = true;
      peer.subscriptions = [];
      peer.deliver = (to, payload) => {
        if (up) count("received", to, payload);
        queueMicrotask(() => up && handlers?.message(to, payload.slice()));
      };
      handlers?.up();
    },
    disconnect() {
      if (!up) return;
      up = false;
      peer.deliver = undefined;
      handlers?.down();
    },
  };
  return transport;
}

/** Metadata is one JSON text; what is trusted outlives the process in `kept`. */
export function createFakeTrust(): TrustClient {
  return {
    async refresh(fetch, referenceTime) {
      const text = await fetch("timestamp.json");
      if (text === undefined) throw new VedetteError("invalid_metadata", "there is no timestamp.json");
      const said = JSON.parse(text) as { expires: number; extension: unknown; targets: FakePeer["targets"] };
      if (said.expires <= referenceTime) {
        throw new VedetteError("expired", `timestamp.json expired at ${said.expires}, and it is ${referenceTime}`);
      }
      return {
        extension: targetsExtension.parse(said.extension),
        async release(model, digest, length) {
          const target = said.targets[`${model}/${digest}`];
          if (!target) throw new VedetteError("unknown_target", `no release key signed ${model}/${digest}`);
          if (target.length !== length)
            throw new VedetteError("length_mismatch", `${model}/${digest} is ${target.length} bytes`);
          return target.release;
        },
      };
    },
  };
}
