/** Times every kernel on every side in turns, and says what a window weighs. */
import type { Variant } from "@vedette/wasm-kernels";
import { loadKernelsNode, nativeIsBuilt } from "@vedette/wasm-kernels/node";
import { isMade, type LinePeer, openPythonPeer } from "../python-peer.ts";
import { median } from "../rounds.ts";
import { drawFrom } from "../verdicts/normal.ts";
import {
  batchRows,
  type Calls,
  isOneCall,
  type KernelName,
  kernelCalls,
  kernelNames,
  plainCalls,
  type Sample,
  sample,
  width,
} from "./subjects.ts";

export type SideName = Variant | "plain JS" | "numpy, scipy";

export interface KernelsResult {
  /** ns a row, or a call for a test of two samples: the medians over the rounds of the shortest call of each. Null where a side has no such kernel. */
  readonly nanos: Readonly<Record<KernelName, Readonly<Partial<Record<SideName, number>>>>>;
  /** Of a snapshot of 1,000 rows, with and without the joint part. */
  readonly wireBytes: { readonly all: number; readonly binsOnly: number };
  /** A feature's share of what a device keeps of its state, without and with the joint part. */
  readonly stateBytesAFeature: number;
  readonly referenceBytesAFeature: number;
  /** Sides that could not be measured, and why. */
  readonly left: readonly string[];
}

export interface KernelsOptions {
  readonly rounds: number;
  /** ms of one kernel's turn. */
  readonly turnMs: number;
}

/** Takes its turn at one kernel: ns of the shortest call. */
type Timer = (kernel: KernelName, ms: number) => Promise<number | null>;

export async function measureKernels({ rounds, turnMs }: KernelsOptions): Promise<KernelsResult> {
  const data = sample();
  const left: string[] = [];
  const timers = new Map<SideName, Timer>();
  const variants: Variant[] = ["simd", "scalar"];
  if (nativeIsBuilt()) variants.push("native");
  else left.push("native: `npm run build:native --workspace wasm-kernels` has not been run");
  for (const variant of variants) {
    timers.set(variant, timerOf(withDifference(kernelCalls(await loadKernelsNode(variant), data))));
  }
  timers.set("plain JS", timerOf(timed(plainCalls(data))));
  let peer: LinePeer | undefined;
  if (isMade("river")) {
    peer = openPythonPeer("river", "kernels_peer.py");
    timers.set("numpy, scipy", peerTimer(peer));
  } else left.push("numpy, scipy: bench/peers/make.sh has not been run");
  try {
    return { nanos: await inTurns(timers, rounds, turnMs), ...(await weigh(data)), left };
  } finally {
    await peer?.close();
  }
}

async function inTurns(
  timers: ReadonlyMap<SideName, Timer>,
  rounds: number,
  turnMs: number,
): Promise<KernelsResult["nanos"]> {
  const found = Object.fromEntries(kernelNames.map((kernel) => [kernel, new Map<SideName, number[]>()]));
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const kernel of kernelNames) {
      for (const [side, time] of timers) {
        const nanos = await time(kernel, turnMs);
        if (nanos === null || round === 0) continue;
        const sides = found[kernel]!;
        sides.set(side, [...(sides.get(side) ?? []), nanos]);
      }
    }
  }
  return Object.fromEntries(
    kernelNames.map((kernel) => [
      kernel,
      Object.fromEntries([...found[kernel]!].map(([side, all]) => [side, median(all) / rowsOf(kernel)])),
    ]),
  ) as KernelsResult["nanos"];
}

/** Rows of a call that is told by the row. */
function rowsOf(kernel: KernelName): number {
  return isOneCall(kernel) ? 1 : batchRows;
}

type Timed = Partial<Record<KernelName, (ms: number) => number>>;

function withDifference({ rffAndBins, ...calls }: Calls & { rffAndBins: () => void }): Timed {
  const bins = calls["bins 128"]!;
  return { ...timed(calls), rff: (ms) => timeOf(rffAndBins, ms / 2) - timeOf(bins, ms / 2) };
}

function timed(calls: Calls): Timed {
  return Object.fromEntries(
    Object.entries(calls).map(([kernel, call]) => [kernel, (ms: number) => timeOf(call, ms)]),
  ) as Timed;
}

function timerOf(own: Timed): Timer {
  return async (kernel, ms) => own[kernel]?.(ms) ?? null;
}

/** The shortest of the calls that fit into `ms`, two at least, in ns: whatever else the machine does only ever adds to it. */
function timeOf(call: () => void, ms: number): number {
  let shortest = Number.POSITIVE_INFINITY;
  const until = performance.now() + ms;
  for (let calls = 0; calls < 2 || performance.now() < until; calls++) {
    const start = performance.now();
    call();
    shortest = Math.min(shortest, performance.now() - start);
  }
  return shortest * 1e6;
}

function peerTimer(peer: LinePeer): Timer {
  return async (kernel, ms) => ((await peer.ask({ kernel, ms })) as { ns: number } | null)?.ns ?? null;
}

/** How much of a window travels, and how much a device keeps. */
async function weigh({
  rows,
}: Sample): Promise<Pick<KernelsResult, "wireBytes" | "stateBytesAFeature" | "referenceBytesAFeature">> {
  const kernels = await loadKernelsNode("simd");
  const draw = drawFrom([7, 8, 9]);
  const window = Float32Array.from({ length: 1000 * width }, () => draw.normal());
  const of = (rff: boolean) => {
    const builder = kernels.newReferenceBuilder(
      Array.from({ length: width }, (_, f) => ({ name: `f${f}`, kind: "number" as const })),
      { rff },
    );
    builder.sample(rows);
    builder.count(rows);
    const bytes = builder.finish();
    const reference = kernels.openReference(bytes);
    const state = reference.newState();
    state.observe(window);
    const sizes = { wire: state.snapshot().length, state: state.save().length, reference: bytes.length };
    state.free();
    reference.free();
    return sizes;
  };
  const [all, binsOnly] = [of(true), of(false)];
  return {
    wireBytes: { all: all.wire, binsOnly: binsOnly.wire },
    stateBytesAFeature: binsOnly.state / width,
    referenceBytesAFeature: binsOnly.reference / width,
  };
}
