import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testFolder } from "../../test/batches.ts";
import { cell, type FileRow, inParts, readRows, utcMoment } from "./line-file.ts";

async function fileOf(name: string, text: string): Promise<string> {
  const path = join(testFolder(), name);
  await writeFile(path, text);
  return path;
}
async function all(path: string): Promise<FileRow[]> {
  const rows: FileRow[] = [];
  for await (const row of readRows(path)) rows.push(row);
  return rows;
}

test("a CSV's values stay texts: ids with leading zeros, yes and no, dates", async () => {
  const path = await fileOf("a.csv", 'id,sky,"when"\n007,yes,2015-01-02\n008,,"2015-01-02, late"\n');
  const rows = await all(path);
  expect(rows).toEqual([
    { line: 2, values: { id: "007", sky: "yes", when: "2015-01-02" } },
    { line: 3, values: { id: "008", sky: null, when: "2015-01-02, late" } },
  ]);
  expect(cell(rows[1]!, "sky")).toBeUndefined();
  expect(() => cell(rows[0]!, "ski")).toThrow(
    "line 2 has no column ski: there are id, sky, when; name the right one by its --…-column option",
  );
});

test("NDJSON keeps its types, and names the line that is none", async () => {
  const path = await fileOf("a.ndjson", '{"id":"a","label":1}\n\n{"id":"b","label":true}\n');
  expect((await all(path)).map(({ line, values }) => [line, values.label])).toEqual([
    [1, 1],
    [3, true],
  ]);
  await expect(all(await fileOf("b.jsonl", '{"id":1}\nnot json\n'))).rejects.toThrow("line 2 is no JSON");
  await expect(all(await fileOf("c.jsonl", "[1]\n"))).rejects.toThrow("line 1 is no JSON object");
  await expect(all("/nowhere/a.csv")).rejects.toMatchObject({ code: "not_found" });
});

test("parts hold all rows in their order, the last what is left, and none is empty", async () => {
  const partsOf = async (count: number) => {
    async function* numbers() {
      for (let i = 0; i < count; i++) yield i;
    }
    const parts: number[][] = [];
    for await (const part of inParts(numbers(), 2)) parts.push(part);
    return parts;
  };
  expect(await partsOf(5)).toEqual([[0, 1], [2, 3], [4]]);
  expect(await partsOf(4)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(await partsOf(0)).toEqual([]);
});

test.each([
  ["2015-01-02", "2015-01-02"],
  ["2015-01-02 03:04:05", "2015-01-02T03:04:05Z"],
  ["2015-01-02T03:04:05+01:00", "2015-01-02T03:04:05+01:00"],
  ["1420167845000", 1_420_167_845_000],
  [1_420_167_845_000, 1_420_167_845_000],
  [undefined, undefined],
])("a time as tools write it: %s", (given, wanted) => {
  expect(utcMoment(given)).toBe(wanted);
});
