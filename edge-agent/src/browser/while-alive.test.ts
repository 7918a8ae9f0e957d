import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createWhileAlive } from "./while-alive.ts";

test("answers and errors come as they are", async () => {
  const { within } = createWhileAlive();
  await expect(within(async () => 7)).resolves.toBe(7);
  await expect(within(() => Promise.reject(new Error("wrong field")))).rejects.toThrow("wrong field");
});

test("a death ends what is under way and what comes after, with its reason", async () => {
  const { within, died } = createWhileAlive();
  const calls = [within(() => new Promise(() => undefined)), within(() => new Promise(() => undefined))];
  died(new Error("no such script"));
  died(new Error("and once more"));
  for (const call of [...calls, within(async () => 7)]) await expect(call).rejects.toThrow("no such script");
});

test("an answer is kept by nobody but its asker", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const { within } = createWhileAlive();
  const answers: WeakRef<object>[] = [];
  for (let i = 0; i < 100; i++) answers.push(new WeakRef(await within(async () => ({ row: i }))));
  await turn();
  gc();
  // The loop's last may still lie in a register.
  expect(answers.filter((answer) => answer.deref()).length).toBeLessThanOrEqual(1);
});
