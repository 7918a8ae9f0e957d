import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readWeather } from "../../../fixtures/src/data/noaa-weather.ts";
import type { DriftDocument } from "../monitoring/drift-report/drift-document.ts";
import { runCli } from "./run-cli.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-compare-"));
  const header = "location,date,precipitation,temp_max,temp_min,wind,weather";
  const days = await readWeather();
  for (const city of ["Seattle", "New York"]) {
    const own = days
      .filter(({ station }) => station === city)
      .map((day) => [city, day.date, day.precipitation, day.tempMax, day.tempMin, day.wind, day.weather].join(","));
    await writeFile(join(folder, `${city}.csv`), [header, ...own].join("\n"));
    const half = own.filter((_, i) => i % 2 === 0);
    const other = own.filter((_, i) => i % 2 === 1);
    await writeFile(join(folder, `${city}-even.csv`), [header, ...half].join("\n"));
    await writeFile(join(folder, `${city}-odd.csv`), [header, ...other].join("\n"));
  }
});
afterAll(() => rm(folder, { recursive: true }));

async function compare(...args: string[]) {
  let out = "";
  let err = "";
  const code = await runCli(["drift", "compare", ...args], {
    env: {},
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    terminal: false,
    now: () => Date.UTC(2027, 0, 31),
    monotonic: () => 0,
    run: async () => 0,
    interrupted: async () => {},
  });
  return { code, out, err };
}
const csv = (name: string) => join(folder, `${name}.csv`);
async function documentOf(...args: string[]): Promise<DriftDocument> {
  const { out, err } = await compare(...args, "--json");
  expect(err).toBe("");
  return JSON.parse(out);
}
/** A small file of a test's own. */
async function written(name: string, ...lines: string[]): Promise<string> {
  await writeFile(csv(name), lines.join("\n"));
  return csv(name);
}

test("New York is not Seattle: its wind, and by how much; the page is written beside the table", async () => {
  const html = join(folder, "weather.html");
  const inputs = ["--features", "temp_max,temp_min,wind"];
  const { code, out, err } = await compare(csv("Seattle"), csv("New York"), ...inputs, "--html", html);
  expect([code, err]).toEqual([0, `Report: ${html}\n`]);
  expect(out).toMatch(/^wind +1461 +0 .*0\.422.* drift$/m);
  expect(out).toContain("verdict: drift. 1 of 3 features moved: wind.");
  const page = await readFile(html, "utf8");
  expect(page).toContain("New York.csv compared with Seattle.csv");
  expect(page).toMatch(/<svg[\s\S]*wind/);
});

test("the odd days of a city are as its even days", async () => {
  const { code, out } = await compare(csv("Seattle-even"), csv("Seattle-odd"), "--fail-on", "notice");
  expect(out).toContain("verdict: none.");
  expect(code).toBe(0);
});

test("[H3] it ends with 3 where --fail-on says so and nothing went wrong, and else with 0", async () => {
  const files = [csv("Seattle"), csv("New York"), "--features", "wind"];
  expect((await compare(...files)).code).toBe(0);
  const failed = await compare(...files, "--fail-on", "drift");
  expect(failed).toMatchObject({ code: 3, err: "", out: expect.stringContaining("verdict: drift") });
  expect((await compare(...files, "--fail-on", "drift", "--json")).code).toBe(3);
});

test("what moved less than asked about is a notice", async () => {
  const files = [csv("Seattle"), csv("New York"), "--features", "wind"];
  expect((await documentOf(...files, "--least-effect", "0.4")).verdict).toBe("drift");
  const small = await documentOf(...files, "--least-effect", "0.5");
  expect(small).toMatchObject({ verdict: "notice", summary: "wind moved, by less than 0.5." });
  expect((await compare(...files, "--least-effect", "0.5", "--fail-on", "drift")).code).toBe(0);
});

test("columns that are no features are left out and named; categories are compared text by text", async () => {
  const found = await documentOf(csv("Seattle"), csv("New York"), "--label", "weather");
  expect(found.features.map(({ name, kind, role }) => [name, kind, role])).toEqual([
    ["location", "category", "input"],
    ["precipitation", "number", "input"],
    ["temp_max", "number", "input"],
    ["temp_min", "number", "input"],
    ["wind", "number", "input"],
    ["weather", "category", "label"],
  ]);
  expect(found.notes[0]).toBe("Column date is left out: it holds dates or times.");
  const [location] = found.features;
  expect(location?.histogram.bars).toEqual([
    { label: "Seattle", reference: 1, current: 0 },
    { label: "never seen before", reference: 0, current: 1 },
  ]);
  expect(location?.verdict).toBe("drift");
  const [first] = found.timeline?.points ?? [];
  expect(found.timeline?.points.at(-1)?.at).toBe(1461);
  expect(first?.logE).toBeGreaterThan(found.timeline?.alarmAt ?? 0);
});

test("missing values, other columns and a label of numbers", async () => {
  const rows = (shift: number) =>
    Array.from({ length: 400 }, (_, i) => [i % 40, i % 3 === 0 ? "" : (i * 7) % 50, (i % 2) + shift]);
  const lines = (all: (string | number)[][]) => all.map((row) => row.join(","));
  const a = await written("a", "x,gaps,y", ...lines(rows(0)));
  const b = await written(
    "b",
    "y,x,gaps,new",
    ...lines(rows(0).map(([x, gaps, y]) => [y ?? "", x ?? "", gaps ?? "", 1])),
  );
  const found = await documentOf(a, b, "--label", "y");
  expect(found.verdict).toBe("none");
  expect(found.current.missingRows).toBe(134);
  expect(found.features.map(({ name, missing, kind }) => [name, missing, kind])).toEqual([
    ["x", 0, "number"],
    ["gaps", 134, "number"],
    ["y", 0, "category"],
  ]);
  expect(found.notes.join()).toContain("Column new is left out");
  const moved = await written("c", "x,gaps,y", ...lines(rows(1)));
  expect((await documentOf(a, moved, "--label", "y")).summary).toBe(
    "1 of 3 features moved: y. Only the label moved: what comes true changed, not what is asked.",
  );
});

test("too few rows are told as that", async () => {
  const few = await written("few", "x", "1", "2", "3.5");
  const found = await documentOf(csv("Seattle"), csv("Seattle"), "--features", "wind");
  expect(found.verdict).toBe("none");
  expect(await documentOf(few, few)).toMatchObject({
    verdict: "insufficient",
    summary: expect.stringContaining("3 rows"),
  });
});

test("[H3] what the caller can mend ends with 1, and says what", async () => {
  const texts = await written("texts", "wind", "strong", "weak");
  const dates = await written("dates", "day", "2027-01-01", "2027-01-02");
  const empty = await written("empty", "wind");
  const cases: [args: string[], told: string][] = [
    [[csv("nowhere"), csv("Seattle")], "nowhere.csv cannot be opened"],
    [[csv("Seattle"), empty], "has no rows"],
    [[csv("Seattle"), csv("New York"), "--features", "rain"], "has no column rain; it has location, date"],
    [[csv("Seattle"), csv("New York"), "--label", "rain"], "has no column rain"],
    [[csv("Seattle"), texts, "--features", "wind"], "column wind holds numbers in"],
    [[dates, dates], "no column is left to compare (day: it holds dates or times)"],
    [[csv("Seattle"), csv("New York"), "--alpha", "1"], "between 0 and 1"],
    [[csv("Seattle"), csv("Seattle"), "--html", join(folder, "no", "where.html")], "where.html cannot be written"],
    [[csv("Seattle")], "missing required argument"],
  ];
  for (const [args, told] of cases) {
    const { code, out, err } = await compare(...args);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(told);
  }
});

const data = process.env.VEDETTE_TEST_DATA ? join(process.env.VEDETTE_TEST_DATA, "occupancy") : "";
describe.skipIf(!existsSync(data))("rooms of another week", () => {
  test("the air moved, the share of occupied hours did not", async () => {
    const [before, after] = [join(data, "datatraining.txt"), join(data, "datatest2.txt")];
    const found = await documentOf(before, after, "--label", "Occupancy");
    const verdicts = Object.fromEntries(found.features.map(({ name, verdict }) => [name, verdict]));
    expect(verdicts).toMatchObject({ CO2: "drift", Light: "none", Occupancy: "none" });
    expect(found).toMatchObject({ verdict: "drift", joint: { drift: true } });
    expect(found.reference.rows).toBe(8143);
  });
});
