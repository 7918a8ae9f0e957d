/** What the tests of inbox and lake share: batches of a rain gauge, and a folder for one test. */
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import {
  type BatchHeader,
  type ColumnData,
  encodeBatch,
  encodeHead,
  type FrameHead,
  headerBytes,
  noReason,
  sealFrame,
  signedHead,
  standardColumns,
} from "@vedette/protocol/prediction-batch";
import { onTestFinished } from "vitest";
import { sha256 } from "../src/sha256.ts";
import { noon } from "./clock.ts";

export const epoch = "00112233445566aa";

/** A folder that goes with its test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "vedette-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Made {
  /** The test's own key where not said. */
  readonly signer?: FrameSigner;
  agent?: string;
  stream?: string;
  epoch?: string;
  seq?: number;
  count?: number;
  firstN?: number;
  header?: Partial<BatchHeader>;
  /** What the frame says of itself, where it should lie. */
  head?: Partial<FrameHead>;
  /** More or other columns: name → [type, values]. */
  columns?: Record<string, [BatchHeader["columns"][number]["type"], ColumnData]>;
}

/** The uncompressed body of a batch as an agent makes it: two inputs, a label and two scores. */
export function makeBody(made: Made = {}): Uint8Array<ArrayBuffer> {
  const { agent = "dev", stream = "rain", seq = 0, count = 3, firstN = seq * count } = made;
  const fill = <T>(make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
  const columns: Record<string, [BatchHeader["columns"][number]["type"], ColumnData]> = {
    time: ["f64", Float64Array.from(fill((i) => noon - 60_000 + firstN + i))],
    latency: ["f32", Float32Array.from(fill(() => 0.5))],
    source: ["u8", Uint8Array.from(fill(() => 0))],
    reason: ["u8", Uint8Array.from(fill(() => noReason))],
    cached: ["u8", Uint8Array.from(fill((i) => i % 2))],
    confidence: ["f32", Float32Array.from(fill((i) => (i === 0 ? Number.NaN : 0.75)))],
    entity: ["text", fill((i) => (i === 0 ? null : `station-${i}`))],
    eventTime: ["f64", Float64Array.from(fill((i) => (i === 0 ? Number.NaN : noon)))],
    request: ["text", fill(() => null)],
    "in:temp": ["f32", Float32Array.from(fill((i) => 10 + i))],
    "in:wind": ["f32", Float32Array.from(fill((i) => (i === 1 ? Number.NaN : 2.5)))],
    "out:label": ["u16", Uint16Array.from(fill((i) => i % 2))],
    "out:score:dry": ["f32", Float32Array.from(fill(() => 0.25))],
    "out:score:rain": ["f32", Float32Array.from(fill(() => 0.75))],
    ...made.columns,
  };
  const names = [
    ...standardColumns.map(({ name }) => name as string),
    ...Object.keys(columns).slice(standardColumns.length),
  ];
  return encodeBatch({
    header: {
      v: 2,
      agent,
      stream,
      epoch: made.epoch ?? epoch,
      seq,
      firstN,
      count,
      digest: "ab".repeat(32),
      release: 3,
      classes: ["dry", "rain"],
      clock: { wall: noon, monotonic: 5, offset: 1000 },
      missing: [],
      withheld: {},
      receipts: null,
      columns: names.map((name) => ({ name, type: columns[name]![0] })),
      ...made.header,
    },
    columns: Object.fromEntries(Object.entries(columns).map(([name, [, values]]) => [name, values])),
  });
}

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
/** The key of all devices of these tests. */
export const testKey = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
export const testKeys = async (): Promise<readonly string[]> => [testKey];

/** Hex both ways. */
interface FrameSigner {
  readonly publicKey: string;
  sign(bytes: Uint8Array): string;
}
const testSigner: FrameSigner = {
  publicKey: testKey,
  sign: (bytes) => sign(null, bytes, privateKey).toString("hex"),
};

/** A frame of any bytes, signed as a device would. What `head` says of itself may be a lie. */
export function signFrame(
  head: Pick<FrameHead, "epoch" | "seq" | "compression" | "bodyLength"> & Partial<FrameHead>,
  compressed: Uint8Array,
  headerSha256 = "0".repeat(64),
  signer: FrameSigner = testSigner,
): Uint8Array<ArrayBuffer> {
  const bytes = encodeHead({ headerSha256, bodySha256: sha256(compressed), publicKey: signer.publicKey, ...head });
  return sealFrame(bytes, signer.sign(signedHead(bytes)), compressed);
}

/** A frame as it comes by MQTT. */
export function makeFrame(made: Made = {}): Uint8Array<ArrayBuffer> {
  const body = makeBody(made);
  const name = { epoch: made.epoch ?? epoch, seq: made.seq ?? 0 };
  const head = { ...name, compression: "zstd" as const, bodyLength: body.length, ...made.head };
  return signFrame(head, zstdCompressSync(body), sha256(headerBytes(body)), made.signer);
}

/** An account of missing predictions, as a device sends it. */
export function makeAccount(seq: number, missing: BatchHeader["missing"]): Uint8Array<ArrayBuffer> {
  return makeFrame({ seq, count: 0, firstN: missing[0]?.from ?? 0, header: { missing } });
}
