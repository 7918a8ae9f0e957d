/** What real models in ONNX Runtime do beside each other: no answer is another, none waits, whatever the second one does. */
import { readFile } from "node:fs/promises";
import { VedetteError } from "@vedette/protocol/errors";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { proofQuestion } from "../../test/node/proof-question.ts";
import { openPredictionLog } from "../core/log/prediction-log.ts";
import type { Logger, Session } from "../core/ports.ts";
import { createModelSlot } from "../core/serve/model-slot.ts";
import { createBesideAsker } from "../core/shadow/ask-beside.ts";
import type { PairedRun } from "../core/shadow/pair-tally.ts";
import { testCrypto, testKey } from "../core/test/fake-peer.ts";
import { createMemoryDisk, createSeededRandom, plainCompressor } from "../sim/memory-ports.ts";
import { createOrtBackend } from "./ort-backend.ts";
import { systemClock } from "./system-clock.ts";

vi.setConfig({ testTimeout: 60_000 });
const quiet: Logger = { info() {}, warn() {}, error() {} };
const digests = { answering: "a".repeat(64), beside: "b".repeat(64) };
let linear: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  linear = new Uint8Array(await readFile(new URL("../../../fixtures/models/written/linear.onnx", import.meta.url)));
});

/** A slot that answers by the model; `beside`, where given, is what the same model is made of when it is asked beside. */
async function slotWith(beside?: (real: Session) => Session) {
  const { manifest } = proofQuestion(linear);
  const ports = {
    ...{ clock: systemClock, log: quiet, storage: createMemoryDisk().start(), random: createSeededRandom(1) },
    ...{ compressor: plainCompressor, crypto: testCrypto, key: testKey },
  };
  const log = await openPredictionLog({ agent: "a1", stream: "linear", ports });
  const slot = createModelSlot({ model: "linear", ports, log, schedule: (call) => void setImmediate(call) });
  const session = await createOrtBackend(quiet).load(linear);
  await slot.use({ digest: digests.answering, release: 1, manifest, session, drift: null });
  const found = { rows: 0, both: 0, onlyAnswering: 0, skipped: 0, failed: [] as string[] };
  const real = await createOrtBackend(quiet, { trialRuns: 0 }).load(linear);
  onTestFinished(async () => {
    await slot.use(null);
    await Promise.all([session.release(), real.release(), log.close()]);
  });
  if (beside) {
    const watch = {
      add(run: PairedRun) {
        found.rows += run.rows;
        if (run.answering.answers && run.beside.answers?.every((answer) => answer !== null)) found.both += run.rows;
        else found.onlyAnswering += run.rows;
      },
      skip(rows: number) {
        found.skipped += rows;
      },
      close() {},
    };
    const asker = createBesideAsker({
      answering: { digest: digests.answering, manifest },
      beside: { digest: digests.beside, manifest, session: beside(real) },
      ...{ sample: 1, watch, ports, busy: () => slot.waits, idOf: (n: number) => `e.${n}` },
      failed: (reason) => void found.failed.push(reason),
      limits: { hangMs: 200, hangBudgets: 0 },
    });
    slot.askBeside(asker);
    onTestFinished(() => asker.close(true));
  }
  return {
    found,
    real,
    /** Values of many requests, and the median time that one took, ms. */
    async ask(times: number) {
      const values: (number | null | undefined)[] = [];
      const took: number[] = [];
      for (let i = 0; i < times; i++) {
        const began = performance.now();
        const { answers } = await slot.predict({ model: "linear", rows: Float32Array.of(i % 7, i % 5) });
        took.push(performance.now() - began);
        values.push(answers[0]?.value);
      }
      return { values, median: took.sort((a, b) => a - b)[times >> 1] as number };
    },
  };
}
const nothing = () => new Promise<never>(() => {});
const failing = async () => {
  throw new VedetteError("model_failed", "it always throws");
};

test("[S51] answers are the same, and as quick, beside a model that is sound, hangs, throws or answers NaN", async () => {
  const times = 600;
  const alone = await (await slotWith()).ask(times);
  expect(alone.values.slice(0, 3)).toEqual([0.5, -0.5, -1.5]);
  const kinds: Record<string, (real: Session) => Session> = {
    sound: (real) => real,
    hangs: (real) => ({ ...real, run: nothing }),
    throws: (real) => ({ ...real, run: failing }),
    nan: (real) => ({
      ...real,
      async run(...asked) {
        const { variable } = await real.run(...asked);
        return {
          variable: { ...variable, datatype: "FP32" as const, shape: [1, 1], data: Float32Array.of(Number.NaN) },
        };
      },
    }),
  };
  for (const [kind, made] of Object.entries(kinds)) {
    const { ask, found, real } = await slotWith(made);
    const { values, median } = await ask(times);
    expect(values, kind).toEqual(alone.values);
    expect(median, kind).toBeLessThan(10 * alone.median + 5);
    await vi.waitFor(() => expect(found.rows + found.skipped, kind).toBeGreaterThan(times / 2), { timeout: 10_000 });
    await vi.waitFor(() => expect(found.rows, kind).toBeGreaterThan(0), { timeout: 10_000 });
    expect(found.onlyAnswering > 0, kind).toBe(kind !== "sound");
    expect(found.both > 0, kind).toBe(kind === "sound");
    if (kind === "hangs")
      await vi.waitFor(() => expect(found.failed, kind).toEqual(["latency_budget"]), { timeout: 10_000 });
    // It never moves to the thread that answers.
    expect(real.thread, kind).toBe("worker");
  }
});
