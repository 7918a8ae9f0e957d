import { describe, expect, test } from "vitest";
import { answerRows } from "./answer-rows.ts";
import { createAnswerCache } from "./ladder.ts";
import { rainManifest } from "./test/rig.ts";

const sure = { label: "dry", value: null, confidence: 0.9, scores: [0.9, 0.1], outputs: null };
const unsure = { ...sure, confidence: 0.5, scores: [0.5, 0.5] };
const fallback = { cache: { maxAgeMs: 1000 }, rules: [{ answer: "rain" }], confidenceFloor: 0.7 };

function jobOf(n: number, more: { entity?: string; refused?: boolean[]; cached?: boolean } = {}) {
  const { entity, refused = null, cached = false } = more;
  const rows = Float32Array.from({ length: 2 * n }, () => 1);
  return {
    request: { model: "rain-gauge", rows, ...(entity !== undefined && { entity }) },
    n,
    refused,
    cached,
    started: 5,
  };
}
function answering(change: { untrusted?: boolean; known?: boolean } = {}) {
  const manifest = change.known === false ? null : rainManifest({ fallback });
  const cache = createAnswerCache(2);
  return { manifest, untrusted: change.untrusted ?? false, cache, id: (n: number) => `a.s.e.${10 + n}`, now: 12 };
}
const told = (groups: ReturnType<typeof answerRows>["groups"]) =>
  groups.map(({ answers }) => answers.map(({ id, source, reason }) => [id, source, reason]));

test("each row has its own answer and number, over all requests; a request carries its latency", () => {
  const { groups, nan, unsure: doubted } = answerRows([jobOf(2), jobOf(1)], [sure, unsure, null], answering());
  expect(told(groups)).toEqual([
    [
      ["a.s.e.10", "model", null],
      ["a.s.e.11", "rule", "low_confidence"],
    ],
    [["a.s.e.12", "rule", "exception"]],
  ]);
  expect([nan, doubted, groups[0]?.latency]).toEqual([1, 1, 7]);
  expect(groups[0]?.answers[0]).toEqual({ id: "a.s.e.10", source: "model", reason: null, cached: false, ...sure });
});

describe("the ladder answers", () => {
  test.each([
    ["no model was asked", "no_model", {}, {}, "no_model"],
    ["the run threw", "exception", {}, {}, "exception"],
    ["the schema refuses the row", [sure], {}, { refused: [true] }, "out_of_range"],
    ["the schema refuses what no model was asked", "stale_model", {}, { refused: [true] }, "stale_model"],
    ["drift says that the model is not to be trusted", [sure], { untrusted: true }, {}, "drift_critical"],
  ] as const)("where %s", (_, result, from, job, reason) => {
    const { groups, nan } = answerRows([jobOf(1, job as { refused?: boolean[] })], result, answering(from));
    expect([told(groups), nan]).toEqual([[[["a.s.e.10", "rule", reason]]], 0]);
  });

  test("from the entity's last answer where there is one, and with nothing where no version was ever known", () => {
    const from = answering();
    from.cache.put("s1", sure, 0);
    expect(told(answerRows([jobOf(1, { entity: "s1" })], "no_model", from).groups)[0]?.[0]?.[1]).toBe("cache");
    const unknown = answerRows([jobOf(1)], "no_model", answering({ known: false }));
    expect(told(unknown.groups)[0]?.[0]).toEqual(["a.s.e.10", "none", "no_model"]);
  });
});

test("an answer of the response cache says so; the ladder's never does", () => {
  const { groups } = answerRows([jobOf(2, { cached: true })], [sure, unsure], answering());
  expect(groups[0]?.answers.map(({ cached }) => cached)).toEqual([true, false]);
});
