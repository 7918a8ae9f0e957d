import fc from "fast-check";
import { expect, test } from "vitest";
import { createTimers } from "./timers.ts";

test("timers come in the order of their moments, and of those of one moment in the order they were added", () => {
  const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant("remove" as const)), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (steps) => {
      const timers = createTimers();
      const model: { at: number; n: number }[] = [];
      const numbers = new WeakMap<object, number>();
      for (const [n, step] of steps.entries()) {
        if (step === "remove") {
          model.shift();
          timers.remove();
        } else {
          const timer = { at: step, call: () => {}, waits: true };
          numbers.set(timer, n);
          timers.add(timer);
          model.push({ at: step, n });
          model.sort((a, b) => a.at - b.at || a.n - b.n);
        }
        const next = timers.next();
        expect(next && { at: next.at, n: numbers.get(next) }).toEqual(model[0]);
      }
    }),
  );
});
