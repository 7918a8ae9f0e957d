import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { DriftDocument, DriftFeature } from "./drift-document.ts";
import { renderDriftPage } from "./render-page.ts";

const evil = `<script>alert("x")</script>'"&`;
const feature = (name: string, change: Partial<DriftFeature> = {}): DriftFeature => ({
  ...{ name, n: 900, missing: 3, pMissing: 1, psi: 0.4, psiCritical: 0.1, ksLow: 0.2, ksHigh: 0.21, pValue: 1e-9 },
  ...{ js: 0.3, w1: 1.5, linf: 0.1, logE: 20, lag1: 0, verdict: "drift", kind: "number", role: "input", lag: 1 },
  histogram: {
    bars: [
      { label: "below 0", reference: 0.1, current: 0.4 },
      { label: "from 0", reference: 0.9, current: 0.6 },
    ],
    missing: { reference: 0, current: 0.01 },
  },
  ...change,
});
const quiet: DriftDocument = {
  ...{ title: "b.csv compared with a.csv", at: "2027-01-31T12:00:00.000Z", verdict: "none", summary: "No difference." },
  reference: { name: "a.csv", rows: 1000, missingRows: null },
  current: { name: "b.csv", rows: 900, missingRows: 3 },
  ...{ alpha: 0.01, features: [feature("wind")], joint: null, timeline: null, heat: null, incidents: [], notes: [] },
  harm: { verdict: "unknown", why: "no labels" },
};
/** Everything a document can say, in words of somebody who means harm. */
const hostile: DriftDocument = {
  ...quiet,
  ...{ title: evil, summary: evil, notes: [evil], alpha: null, verdict: "critical" },
  reference: { name: evil, rows: 1, missingRows: 1 },
  current: { name: evil, rows: 1, missingRows: 1 },
  features: [
    feature(evil, { role: "label" }),
    feature(`${evil}2`, {
      kind: "category",
      histogram: { bars: [{ label: evil, reference: 1, current: 1 }], missing: { reference: 0.1, current: 0 } },
    }),
  ],
  joint: { statistic: 3, p: 1e-5, skipped: 2, drift: true, level: 0.005 },
  timeline: {
    unit: "time",
    alarmAt: 13.8,
    points: [
      { at: 0, logE: -1, verdict: "none", top: null },
      { at: 60_000, logE: 2000, verdict: "critical", top: evil },
    ],
  },
  heat: { of: "device", features: [evil, "b"], lines: [{ name: evil, rows: 9, cells: [120, null] }], more: 7 },
  incidents: [
    {
      ...{ id: 1, verdict: "critical", where: evil, features: [evil] },
      ...{ openedAt: "2027-01-31T12:00:00.000Z", closedAt: null },
    },
  ],
  harm: { verdict: "harmful", why: evil },
};

test("[H4] the page has no script and takes nothing from elsewhere, and says so to the browser", async () => {
  for (const document of [quiet, hostile]) {
    const page = await renderDriftPage(document);
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    expect(page).toContain(`content="default-src 'none'; style-src 'sha256-${hash}'`);
    // The policy allows this one sheet, so no element may bring a style of its own.
    expect(page).not.toMatch(
      /<(script|link|img|iframe|object|embed|base|form)\b| style=| on\w+=["']|https?:|url\(|@import/i,
    );
    expect(page.match(/<style>/g)).toHaveLength(1);
    expect(page).toContain('name="viewport"');
    expect(style).toMatch(/prefers-color-scheme:dark[\s\S]*@media print/);
  }
});

test("[H4] whatever names say is text: in headings, tables, titles and labels", async () => {
  const page = await renderDriftPage(hostile);
  const escaped = "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&quot;&amp;";
  expect(page.split(escaped).length).toBeGreaterThan(15);
  expect(page).not.toContain('alert("x")');
  expect(page.match(/<\/?[a-z]/gi)?.length).toBe(
    (
      await renderDriftPage(JSON.parse(JSON.stringify(hostile).replaceAll(JSON.stringify(evil).slice(1, -1), "wind")))
    ).match(/<\/?[a-z]/gi)?.length,
  );
});

test("what is known is drawn, what is not is said, and the same document gives the same page", async () => {
  const page = await renderDriftPage(hostile);
  for (const part of [
    "Harm",
    "Events",
    "Reference against now",
    "All features at once",
    "over time",
    "Device by feature",
  ])
    expect(page).toContain(part);
  expect(page).toContain("7 more lines");
  expect(page).toContain("2 rows with missing or infinite values");
  expect(page).toBe(await renderDriftPage(hostile));

  const short = await renderDriftPage(quiet);
  expect(short).toContain("Not tested.");
  for (const part of ["Events", "over time", "by feature"]) expect(short).not.toContain(part);
  expect(short).toContain("with probability 1 % at most");
  expect(short).not.toMatch(/NaN|undefined|\[object/);
});

test("hundreds of features and empty histograms still make a page", async () => {
  const features = Array.from({ length: 256 }, (_, i) => feature(`f${i}`, { psi: i / 100 }));
  const empty = feature("empty", {
    histogram: { bars: [], missing: { reference: 1, current: 1 } },
    psiCritical: Number.POSITIVE_INFINITY,
  });
  const cells = features.map((_, i) => i / 10);
  const heat = {
    of: "rows",
    features: features.map(({ name }) => name),
    lines: [{ name: "to row 9", rows: 9, cells }],
    more: 0,
  } as const;
  const page = await renderDriftPage({ ...quiet, features: [empty, ...features], heat });
  expect(page.match(/<article/g)).toHaveLength(60);
  expect(page).toContain("197 more are in the table below.");
  expect(page).toContain("224 more features are nearer");
  // The farthest off first.
  expect(page.indexOf(">f255<")).toBeLessThan(page.indexOf(">f254<"));
});
