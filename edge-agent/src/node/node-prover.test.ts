import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFile } from "node:fs/promises";
import { beforeAll, expect, test, vi } from "vitest";
import { proofQuestion } from "../../test/node/proof-question.ts";
import { createNodeProver } from "./node-prover.ts";

vi.setConfig({ testTimeout: 60_000 });
const written = async (name: string) =>
  new Uint8Array(await readFile(new URL(`../../../fixtures/models/written/${name}.onnx`, import.meta.url)));
let linear: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  linear = await written("linear");
});

test("[V11] a sound model is proven in a process that is gone afterwards", async () => {
  const started: ChildProcess[] = [];
  const note = (message: unknown) => void started.push((message as { process: ChildProcess }).process);
  subscribe("child_process", note);
  await createNodeProver()
    .prove(proofQuestion(linear))
    .finally(() => unsubscribe("child_process", note));
  expect(started).toHaveLength(1);
  await vi.waitFor(() => expect(started[0]?.exitCode ?? started[0]?.signalCode).not.toBeNull());
});

test("[V11] what is wrong is said as if it had been proven here", async () => {
  const nan = createNodeProver().prove(proofQuestion(await written("bad-nan")));
  await expect(nan).rejects.toMatchObject({ code: "proof_failed", message: expect.stringContaining("NaN") });
  const endless = createNodeProver().prove(proofQuestion(await written("bad-endless")));
  await expect(endless).rejects.toMatchObject({ code: "invalid_model", message: expect.stringContaining("Loop") });
});

test("[V11] a proof that never ends is ended by its watchdog, and this process is not held up", async () => {
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 20);
  const proof = createNodeProver({ limitMs: 8_000 }).prove(proofQuestion(await written("bad-slow")));
  const says = expect.stringContaining("did not end within 8 s");
  await expect(proof).rejects.toMatchObject({ code: "proof_failed", message: says });
  clearInterval(ticking);
  expect(ticks).toBeGreaterThan(20);
});

test("[V11] a proof that takes more memory than the manifest allows is ended before it has the device's", async () => {
  const proof = createNodeProver().prove(proofQuestion(await written("bad-growing")));
  const says = expect.stringMatching(/took \d+ MiB of memory, over its limit of 512 MiB/);
  await expect(proof).rejects.toMatchObject({ code: "proof_failed", message: says });
});

test("a limit of memory under what the model needs is kept, too", async () => {
  const proof = createNodeProver().prove(
    proofQuestion(linear, (made) => ({ ...made, limits: { ...made.limits, memoryBytes: 1024 } })),
  );
  await expect(proof).rejects.toMatchObject({
    code: "proof_failed",
    message: expect.stringContaining("limit of 1 MiB"),
  });
});
