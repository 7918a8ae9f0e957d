/** Labels, performance and metrics from the command line, against a site with the real lake. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { epoch } from "../../test/batches.ts";
import { makeBundle } from "../../test/bundle.ts";
import { vedetteOf } from "../../test/commands.ts";
import { startRecordsSite } from "../../test/records-site.ts";
import { initialiseTrust, publish } from "../../test/site.ts";

async function start() {
  const site = await startRecordsSite();
  await publish(site, await initialiseTrust(site), [makeBundle("rain", "one")]);
  const vedette = vedetteOf(site, site.home);
  const file = async (name: string, text: string) => {
    await writeFile(join(site.home, name), text);
    return join(site.home, name);
  };
  return { site, vedette, file };
}
const idOf = (n: number) => `dev.rain.${epoch}.${n}`;

test("a file of labels is told, twice without harm; what is wrong with it is said by line", async () => {
  const { site, vedette, file } = await start();
  await site.take({ seq: 0 });
  const good = await file("good.csv", `prediction,sky\n${idOf(0)},dry\n${idOf(1)},Rain\n${idOf(2)},\n`);
  const columns = ["--id-column", "prediction", "--label-column", "sky"];
  const told = await vedette("label", "add", "--file", good, ...columns);
  expect(told).toMatchObject({ code: 0, out: "2 labels: 2 new, 1 rows without a label\n" });
  expect(told.err).toBe("No class of the model: Rain; they count as errors of its answers\n");
  expect((await vedette("label", "add", "--file", good, ...columns)).out).toContain("0 new, 2 known already");
  expect((await vedette("label", "status")).out).toMatch(/^MODEL +LABELS.*\nrain +2 +2 +0 .*2 of 3 \(67 %\)\n$/);

  const bad = await file("bad.csv", `prediction,sky\n${idOf(0)},dry\nnobody,dry\n`);
  const refused = await vedette("label", "add", "--file", bad, ...columns);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("bad.csv, line 3: id is no prediction's");
  expect((await vedette("label", "add", "--file", bad, "--id-column", "x")).err).toContain("has no column");
  for (const flags of [
    [],
    ["--id-column", "prediction", "--model", "rain"],
    ["--model", "rain", "--entity-column", "a"],
  ]) {
    const { code, err } = await vedette("label", "add", "--file", good, ...flags);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("say in one way whose labels these are") });
  }
});

test("performance and harm are printed for people, and whole with --json", async () => {
  const { site, vedette, file } = await start();
  await site.take({ seq: 0 });
  const none = await vedette("performance", "--model", "rain", "--by", "source");
  expect(none.out).toMatch(/VERSION +SOURCE +PREDICTIONS +LABELLED.*\n3 +model +3 +0 \(0 %\) +accuracy +- +- +-\n$/);
  const lines = [0, 1, 2].map((n) => JSON.stringify({ id: idOf(n), label: n === 1 ? "rain" : "dry" }));
  await vedette("label", "add", "--file", await file("a.ndjson", lines.join("\n")), "--id-column", "id");
  const { out } = await vedette("performance", "--model", "rain");
  expect(out).toMatch(/\n3 +3 +3 \(100 %\) +accuracy +1\.000 +0\.000 to 1\.000/);
  const harm = ["performance", "--model", "rain", "--harm", "--since", "2020-01-01"];
  const verdict = await vedette(...harm);
  expect(verdict.out).toMatch(
    /^rain since 2020-01-01T00:00:00.000Z: unknown\nwrong 0\.000 .* of 3 since; nothing is known/,
  );
  expect((await vedette(...harm, "--json")).json()).toMatchObject({ verdict: "unknown", now: { n: 3, mean: 0 } });
  expect((await vedette(...harm, "--by", "device")).code).toBe(1);
  expect((await vedette("performance", "--model", "rain", "--tolerance", "0.1")).code).toBe(1);
  expect(await vedette("performance", "--model", "nobody")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no model"),
  });
});

test("metrics are told one by one or by file, where options fill in what it lacks", async () => {
  const { site, vedette, file } = await start();
  await site.take({ seq: 0 });
  const one = [
    "metric",
    "add",
    "--model",
    "rain",
    "--name",
    "visitors",
    "--value",
    "-3",
    "--version",
    "3",
    "--id",
    "a",
  ];
  expect((await vedette(...one)).out).toBe("1 new\n");
  expect((await vedette(...one)).out).toBe("0 new, 1 known already\n");
  const rows = Array.from({ length: 40 }, (_, i) => `dev,${i % 4},2030-01-01 00:00:${String(i).padStart(2, "0")}`);
  const sales = await file("sales.csv", `device,value,at\n${rows.join("\n")}\n`);
  expect((await vedette("metric", "add", "--file", sales, "--model", "rain", "--name", "sales")).out).toBe("40 new\n");
  const { out } = await vedette("metric", "list", "--model", "rain");
  expect(out).toMatch(/rain +sales +3 +40 +1\.5 +-?[\d.]+ to [\d.]+ +2030-01-01/);
  expect(out).toMatch(/rain +visitors +3 +1 +-3 +too few/);
  const wrong = await vedette("metric", "add", "--model", "rain", "--name", "sales", "--value", "much");
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("the options: value") });
});
