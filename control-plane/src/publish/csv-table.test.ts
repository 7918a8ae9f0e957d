import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CsvTable, readCsv } from "./csv-table.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-csv-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function read<T>(text: string, look: (table: CsvTable) => Promise<T>): Promise<T> {
  const path = join(folder, "it's data.csv");
  await writeFile(path, text);
  const table = await readCsv(path);
  try {
    return await look(table);
  } finally {
    table.close();
  }
}

it("takes quoted headers with commas, quotes, spaces and brackets, and quoted values", async () => {
  await read('"Air [K]","a,b","say ""hi""",word\n1,2,3,"x,y"\n4,5.5,6,z\n', async (table) => {
    expect(table.columns).toMatchObject([
      { name: "Air [K]", numeric: true },
      { name: "a,b", numeric: true },
      { name: 'say "hi"', numeric: true },
      { name: "word", numeric: false },
    ]);
    expect(await table.numbers("a,b")).toEqual(new Float64Array([2, 5.5]));
    expect(await table.numbers('say "hi"')).toEqual(new Float64Array([3, 6]));
    expect(await table.texts("word")).toEqual(["x,y", "z"]);
  });
});

it("follows the header's delimiter: semicolons, tabs", async () => {
  await read("a;b\n1;2\n", async (table) => expect(table.columns.map(({ name }) => name)).toEqual(["a", "b"]));
  await read("a\tb\n1\t2\n", async (table) => expect(table.columns.map(({ name }) => name)).toEqual(["a", "b"]));
});

it("keeps missing values missing, in every way tools write them", async () => {
  await read("a,b\n1,x\n,y\nNA,\nNaN,None\n-2.5e3,z\n", async (table) => {
    expect(await table.numbers("a")).toEqual(new Float64Array([1, Number.NaN, Number.NaN, Number.NaN, -2500]));
    expect(await table.texts("b")).toEqual(["x", "y", null, null, "z"]);
  });
});

it("writes whole numbers as class names are written, and keeps words", async () => {
  await read("n,f,w\n1,1.0,true\n0,0.0,false\n", async (table) => {
    expect(await table.texts("n")).toEqual(["1", "0"]);
    expect(await table.texts("f")).toEqual(["1", "0"]);
    expect(await table.texts("w")).toEqual(["true", "false"]);
  });
});

it("keeps every text as it is written: yes and no, dates, times", async () => {
  await read("l,m,d,t,b\nyes,T,2024-1-05,1:30,True\nno,F,2024-1-06,2:00,false\n", async (table) => {
    expect(await table.texts("l")).toEqual(["yes", "no"]);
    expect(await table.texts("m")).toEqual(["T", "F"]);
    expect(await table.texts("d")).toEqual(["2024-1-05", "2024-1-06"]);
    expect(await table.texts("t")).toEqual(["1:30", "2:00"]);
    expect(await table.texts("b")).toEqual(["True", "false"]);
    expect(await table.numbers("b")).toEqual(new Float64Array([1, 0]));
    expect(table.columns.map(({ boolean }) => boolean)).toEqual([false, false, false, false, true]);
  });
});

it("looks at every line before it says that a column is numeric", async () => {
  const lines = Array.from({ length: 30_000 }, (_, i) => `${i}`);
  await read(`a\n${lines.join("\n")}\nlast\n`, async (table) => {
    expect(table.columns).toMatchObject([{ name: "a", numeric: false }]);
  });
});
