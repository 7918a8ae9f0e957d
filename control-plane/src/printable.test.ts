import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonLine, printable, printableLine } from "./printable.ts";

const hostile = "\u001b[2J\u009b31m\r\u0007\u202egnp.exe\u2028\u0000";
const risky = /\p{Cc}|[\u2028-\u202e\u2066-\u2069]/u;

test("[Q45] no text of a device rewrites a terminal, nor breaks its line", () => {
  expect(printableLine(`a\nb${hostile}`)).not.toMatch(/\n/);
  expect(printableLine(hostile)).not.toMatch(risky);
  expect(printable(`a\n\tb${hostile}`).slice(4)).not.toMatch(risky);
  expect(printable("a\n\tb")).toBe("a\n\tb");
  expect(printableLine("Zürich 東京 🌧")).toBe("Zürich 東京 🌧");
});

test("[Q45] JSON says the same and holds no such character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const line = jsonLine({ text: text + hostile });
      expect(line).not.toMatch(risky);
      expect(JSON.parse(line)).toEqual({ text: text + hostile });
    }),
  );
});
