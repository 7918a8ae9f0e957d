import { expect, test } from "vitest";
import { interleave, median } from "./rounds.ts";

test("subjects take turns, the first round only warms up, and the middle of the rest counts", async () => {
  const turns: string[] = [];
  const subject = (name: string) => ({
    name,
    async run(until: number) {
      turns.push(name);
      while (performance.now() < until);
      return 10;
    },
  });
  const all = await interleave([subject("a"), subject("b")], { rounds: 2, turnMs: 5 });
  expect(turns.join("")).toBe("ababab");
  expect(all.get("a")?.perSecond).toBeGreaterThan(0);
  expect(median([9, 1, 5])).toBe(5);
});
