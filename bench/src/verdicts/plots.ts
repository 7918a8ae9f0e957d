/** The report's pictures: plain SVG that needs nothing else, readable in light and dark. */
import type { DelayTable, FalseAlarmRow } from "./table.ts";
import { nominalShare, nullCells, shiftCells } from "./table.ts";

/** Ours, the peers in their order, and grey for what always fires. */
const colours = [
  "#1b6ec2",
  "#0d9488",
  "#7c3aed",
  "#ea580c",
  "#7f1d1d",
  "#ca8a04",
  "#db2777",
  "#4d7c0f",
  "#475569",
  "#9ca3af",
];
const top = 40;
/** Of the bar of one side; a row has room for all of them. */
const barHeight = 5;
const left = 290;
const plotWidth = 520;
const width = left + plotWidth + 30;

/** Shares of streams with a false alarm, one row a cell, a bar over each detector's interval; the line is the nominal share. */
export function falseAlarmPlot(rows: readonly FalseAlarmRow[], arl: number): string {
  const shown = rows.filter(({ side, entries }) => side.arl === arl && entries.some((entry) => entry !== null));
  const titles = nullCells.map(({ name }) => name.replace("null ", ""));
  const x = (share: number): number => left + share * plotWidth;
  const marks = shown.flatMap(({ side, entries }, k) =>
    entries.flatMap((entry, i) => {
      if (!entry) return [];
      const { share, interval, alarmed, streams } = entry;
      const label = `${side.title}: ${alarmed} of ${streams} streams`;
      return [mark(x(interval.low), x(share), x(interval.high), i, k, shown.length, label)];
    }),
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => [x(share), `${100 * share} %`] as const);
  const nominal = x(nominalShare(arl));
  const line = (bottom: number): string =>
    `<line x1="${nominal}" x2="${nominal}" y1="${top}" y2="${bottom}" stroke="#888" stroke-dasharray="4 3"/>`;
  return picture(
    "Streams of 20,000 rows without a change in which it alarmed, 95 % intervals",
    titles,
    shown.map(titleOf),
    ticks,
    marks,
    line,
  );
}

/** Median delays, one row a shift, on a logarithmic axis; at the right end: never. */
export function delayPlot({ sides, entries }: DelayTable, title: string): string {
  const [least, most] = [10, 20_000];
  const x = (delay: number): number =>
    left + (Math.log(Math.min(Math.max(delay, least), most) / least) / Math.log(most / least)) * plotWidth;
  const marks = entries.flatMap((row, i) =>
    row.flatMap((entry, k) => {
      if (!entry || entry.loud || entry.streams === 0) return [];
      const { median, interval, missed, streams } = entry;
      const label = `${sides[k]?.title}: ${Number.isFinite(median) ? median : "never"}, missed ${missed} of ${streams}`;
      return [mark(x(interval.low), x(median), x(interval.high), i, k, sides.length, label)];
    }),
  );
  const ticks = [10, 100, 1000, 10_000].map((rows) => [x(rows), String(rows)] as const);
  const titles = shiftCells.map(
    ({ shift, dependence }) => `${shift?.title}${dependence === "iid" ? "" : ` (${dependence})`}`,
  );
  return picture(
    title,
    titles,
    sides.map(({ title: name }) => name),
    [...ticks, [x(most), "never"] as const],
    marks,
    () => "",
  );
}

const titleOf = ({ side }: FalseAlarmRow): string => side.title;
const heightOf = (sides: number): number => (sides + 2) * barHeight;
const colour = (k: number): string => colours[k % colours.length] ?? "#000";

function mark(low: number, at: number, high: number, row: number, k: number, of: number, label: string): string {
  const y = top + row * heightOf(of) + (k + 1.5) * barHeight;
  return `<g fill="${colour(k)}" stroke="${colour(k)}"><title>${escaped(label)}</title><line x1="${low.toFixed(1)}" x2="${high.toFixed(1)}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/><circle cx="${at.toFixed(1)}" cy="${y.toFixed(1)}" r="2.2"/></g>`;
}

function picture(
  title: string,
  rows: readonly string[],
  legend: readonly string[],
  ticks: readonly (readonly [x: number, label: string])[],
  marks: readonly string[],
  extra: (bottom: number) => string,
): string {
  const rowHeight = heightOf(legend.length);
  const bottom = top + rows.length * rowHeight;
  const height = bottom + 30 + legend.length * 16;
  const lines = rows.map((name, i) => {
    const y = top + i * rowHeight;
    const shade = i % 2 === 0 ? `<rect x="0" y="${y}" width="${width}" height="${rowHeight}" fill="#8881"/>` : "";
    return `${shade}<text x="${left - 10}" y="${y + rowHeight / 2 + 4}" text-anchor="end">${escaped(name)}</text>`;
  });
  const axis = ticks.map(
    ([x, label]) =>
      `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top}" y2="${bottom}" stroke="#8884"/><text x="${x.toFixed(1)}" y="${bottom + 14}" text-anchor="middle">${label}</text>`,
  );
  const keys = legend.map(
    (name, k) =>
      `<circle cx="${left}" cy="${bottom + 32 + k * 16}" r="4" fill="${colour(k)}"/><text x="${left + 10}" y="${bottom + 36 + k * 16}">${escaped(name)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>${escaped(title)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="10" y="22" font-size="14">${escaped(title)}</text>
${[...lines, ...axis, extra(bottom), ...marks, ...keys].join("\n")}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
