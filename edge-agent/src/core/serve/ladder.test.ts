import type { Rule } from "@vedette/protocol/rules";
import { expect, test } from "vitest";
import { createAnswerCache, fallBack } from "./ladder.ts";
import { rainManifest } from "./test/rig.ts";

const answerOf = (rules: Rule[], rows: number[], change: Record<string, unknown> = {}) =>
  fallBack(
    rainManifest({ fallback: { cache: null, rules, confidenceFloor: null }, ...change }),
    createAnswerCache(2),
    { rows: Float32Array.from(rows) },
    rows.length / 2 - 1,
    0,
  );

test.each([
  ["<", 5, 4, 5],
  ["<=", 5, 5, 6],
  [">", 5, 6, 5],
  [">=", 5, 5, 4],
  ["==", 5, 5, 6],
  ["!=", 5, 6, 5],
  ["missing", undefined, Number.NaN, 5],
  ["present", undefined, 5, Number.NaN],
] as const)("%s", (op, value, yes, no) => {
  const rule: Rule = { when: [{ field: "temp", op, ...(value === undefined ? {} : { value }) }], answer: "rain" };
  expect(answerOf([rule], [0, yes]).source).toBe("rule");
  expect(answerOf([rule], [0, no]).source).toBe("none");
  if (value !== undefined) expect(answerOf([rule], [0, Number.NaN]).source).toBe("none");
});

test("the first rule whose every comparison holds answers, for its own row", () => {
  const windy: Rule = {
    when: [
      { field: "wind", op: ">", value: 9 },
      { field: "temp", op: "<", value: 5 },
    ],
    answer: "rain",
    confidence: 0.8,
  };
  const rules: Rule[] = [windy, { when: [{ field: "wind", op: ">", value: 9 }], answer: "dry" }];
  expect(answerOf(rules, [0, 0, 10, 1])).toEqual({
    source: "rule",
    label: "rain",
    value: null,
    confidence: 0.8,
    scores: null,
    outputs: null,
  });
  expect(answerOf(rules, [0, 0, 10, 9])).toMatchObject({ label: "dry", confidence: null });
  expect(answerOf(rules, [10, 1, 0, 0])).toMatchObject({ source: "none", label: null });
});

test("a rule answers by the task: a number for regression, a class for classification", () => {
  const regression = { output: { task: "regression", value: { tensor: "p" }, tensors: rainManifest().output.tensors } };
  expect(answerOf([{ answer: 3.5 }], [0, 0], regression)).toMatchObject({ source: "rule", value: 3.5, label: null });
  expect(answerOf([{ answer: "rain" }], [0, 0], regression).source).toBe("none");
  expect(answerOf([{ answer: "snow" }], [0, 0]).source).toBe("none");
  expect(answerOf([{ when: [{ field: "fog", op: "missing" }], answer: "dry" }], [0, 0]).source).toBe("none");
});

test("the cache keeps the entities asked for last", () => {
  const cache = createAnswerCache(2);
  const answer = { label: "dry", value: null, confidence: 1, scores: null, outputs: null };
  cache.put("a", answer, 0);
  cache.put("b", answer, 0);
  expect(cache.get("a", 5, 10)).toBe(answer);
  cache.put("c", answer, 6);
  expect([cache.get("a", 6, 10), cache.get("b", 6, 10), cache.get("c", 6, 10)]).toEqual([answer, undefined, answer]);
  expect(cache.get("a", 11, 10)).toBeUndefined();
});

test("[O26] a category is compared by its text; one that nobody knows equals none, and differs from each", () => {
  const field = { tensor: "x", required: false, outOfRange: "count" };
  const fields = [
    { ...field, kind: "category", name: "wind", column: 0, categories: ["calm", "gale"] },
    { ...field, kind: "number", name: "temp", column: 1 },
  ];
  const change = { input: { fields, tensors: rainManifest().input.tensors } };
  const rule = (op: "==" | "!="): Rule[] => [{ when: [{ field: "wind", op, value: "gale" }], answer: "rain" }];
  const sources = (op: "==" | "!=") =>
    [1, 0, 2, Number.NaN].map((code) => answerOf(rule(op), [code, 0], change).source);
  expect(sources("==")).toEqual(["rule", "none", "none", "none"]);
  expect(sources("!=")).toEqual(["none", "rule", "rule", "none"]);
});
