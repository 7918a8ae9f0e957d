import fc from "fast-check";
import { expect, test } from "vitest";
import { createMetricsWriter } from "./prometheus-text.ts";

test("[G10] families are written as Prometheus reads them, and those without samples are left out", () => {
  const write = createMetricsWriter();
  write.single("up", "gauge", "Whether it is", 1);
  write.family("n_total", "counter", "How\nmany \\", [
    [{ model: 'a"b\\c\nd', version: "1" }, 2.5],
    [{}, Number.POSITIVE_INFINITY],
  ]);
  write.family("none", "gauge", "Nothing", []);
  expect(write.text()).toBe(
    [
      "# HELP up Whether it is",
      "# TYPE up gauge",
      "up 1",
      "# HELP n_total How\\nmany \\\\",
      "# TYPE n_total counter",
      'n_total{model="a\\"b\\\\c\\nd",version="1"} 2.5',
      "n_total +Inf",
      "",
    ].join("\n"),
  );
});

test("[G10] whatever a label holds, a sample is one line, and reads back", () => {
  fc.assert(
    fc.property(fc.string(), fc.double(), (label, value) => {
      const write = createMetricsWriter();
      write.family("x", "gauge", "h", [[{ l: label }, value]]);
      const line = write.text().split("\n").slice(2, -1).join("\n");
      const match = /^x\{l="((?:[^"\\\n]|\\[\\n"])*)"\} (\S+)$/.exec(line);
      const read = match?.[1]?.replaceAll(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
      expect(read).toBe(label);
      expect(Number(match?.[2]?.replace("Inf", "Infinity"))).toBe(value === 0 ? 0 : value);
    }),
  );
});
