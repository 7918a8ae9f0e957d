/**
 * What the control plane knows of a version's drift, as a report: its detectors, rounds and events as it told them, and the
 * windows of its devices, merged here by the kernels on the version's own signed reference. Talks to the kernels only.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { fromBase64 } from "@vedette/protocol/bytes";
import { type DriftVerdict, driftPolicyOf } from "@vedette/protocol/drift";
import type { DriftEvent, DriftState, driftWindows } from "@vedette/protocol/drift-api";
import { driftFeatures, type DriftFeature as WatchedFeature } from "@vedette/protocol/drift-features";
import { isWorse } from "@vedette/protocol/judge-drift";
import type { DriftReference, Kernels } from "@vedette/wasm-kernels";
import { readReferenceBins, readSnapshotCounts } from "@vedette/wasm-kernels/histograms";
import type { z } from "zod";
import { whereOf } from "../drift/subjects.ts";
import { drawHistogram } from "./draw-histogram.ts";
import type { DriftDocument, DriftFeature, DriftHarm, DriftHeat } from "./drift-document.ts";
import { heatCells } from "./heat-cells.ts";

type Version = DriftState["versions"][number];
type Window = z.infer<typeof driftWindows>["windows"][number];

/** Devices that have a line; those farthest off. */
const mostDevices = 40;

/**
 * @param told.windows of this version, those the report is about; at least one.
 * @throws KernelError where the reference or a window is not of these kernels.
 */
export function describeFleet(
  told: {
    readonly version: Version;
    readonly events: readonly DriftEvent[];
    readonly windows: readonly Window[];
    readonly manifest: Pick<Manifest, "input" | "output" | "drift">;
    readonly reference: Uint8Array;
    readonly harm: DriftHarm;
    readonly notes: readonly string[];
    /** UTC ms. */
    readonly now: number;
  },
  kernels: Pick<Kernels, "openReference">,
): DriftDocument {
  const { version, windows, manifest, harm, now } = told;
  const policy = driftPolicyOf(manifest);
  const reference = kernels.openReference(told.reference);
  const level = reference.joint ? policy.alpha / 2 : policy.alpha;
  const state = reference.newState({ alpha: level, deadZone: policy.deadZone });
  try {
    for (const { snapshot } of windows) state.merge(fromBase64(snapshot));
    const report = state.report();
    const bins = readReferenceBins(told.reference);
    const counts = readSnapshotCounts(state.snapshot(), bins.length);
    const watched = driftFeatures(manifest);
    const features = report.features.map((feature, f): DriftFeature => {
      const { spec, source } = watched[f] as WatchedFeature;
      return {
        ...feature,
        logE: version.fleet?.byFeature[f] ?? 0,
        kind: spec.kind,
        role: source.kind === "input" ? "input" : "answer",
        lag: reference.lags[f] ?? 1,
        histogram: drawHistogram(bins[f]!, counts[f]!, textsOf(watched[f] as WatchedFeature, manifest)),
      };
    });
    const events = told.events.filter(({ digest }) => digest === version.digest);
    const heat = heatOf(reference, windows, { alpha: level, deadZone: policy.deadZone });
    return {
      title: `${version.model} version ${version.version}`,
      at: new Date(now).toISOString(),
      reference: { name: "what it was trained on", rows: reference.rows, missingRows: null },
      current: { name: spanOf(windows), rows: report.n, missingRows: report.missingRows },
      ...judge(version, events, heat),
      alpha: null,
      features,
      joint: report.joint && { ...report.joint, drift: report.joint.p < level, level },
      timeline: {
        unit: "time",
        alarmAt: Math.log(version.threshold),
        points: version.rounds
          .toReversed()
          .map(({ at, logE, verdict, top }) => ({ at: Date.parse(at), logE, verdict, top })),
      },
      heat,
      incidents: events.map(({ id, verdict, scope, openedAt, closedAt, features: moved }) => {
        return {
          id,
          verdict,
          where: whereOf(scope),
          openedAt,
          closedAt,
          features: moved.map(({ name }) => name),
        };
      }),
      harm,
      notes: told.notes,
    };
  } finally {
    state.free();
    reference.free();
  }
}

/**
 * The worst of the fleet's detector and of the events that go on, since when, and on which devices the windows show it; the
 * windows' own tests are beside it.
 */
function judge(
  { fleet, devices }: Version,
  events: readonly DriftEvent[],
  heat: DriftHeat,
): Pick<DriftDocument, "verdict" | "summary"> {
  const open = events.filter(({ closedAt }) => closedAt === null);
  const worst = open.reduce<DriftVerdict>(
    (found, { verdict }) => (isWorse(verdict, found) ? verdict : found),
    fleet?.verdict ?? "insufficient",
  );
  if (open.length === 0) {
    const summary = fleet
      ? `No event goes on; ${devices.length} ${devices.length === 1 ? "device" : "devices"} heard.`
      : "The first windows wait for a round: ask again in a minute.";
    return { verdict: worst, summary };
  }
  const said = open.slice(0, 3).map(({ scope, features, openedAt }) => {
    const moved = features.slice(0, 3).map(({ name }) => name);
    return `${moved.join(", ")} on ${whereOf(scope)} since ${minute(openedAt)} UTC`;
  });
  const more = open.length > 3 ? `, and ${open.length - 3} more events` : "";
  return { verdict: worst, summary: `${said.join("; ")}${more}.${whichDevices(heat)}` };
}

/** An event of the fleet may be a few devices' doing: which are beyond chance, of how many that have a line. */
function whichDevices({ lines, more }: DriftHeat): string {
  const off = lines.filter(({ cells }) => cells.some((cell) => cell !== null && cell > 1)).map(({ name }) => name);
  if (lines.length < 2 || off.length === 0) return "";
  if (off.length === lines.length && more === 0) return " Every device is beyond chance.";
  const named = `${off.slice(0, 3).join(", ")}${off.length > 3 ? ` and ${off.length === lines.length ? "at least " : ""}${off.length - 3} more` : ""}`;
  return ` Beyond chance ${off.length === 1 ? "is" : "are"} ${named}, of ${lines.length + more} devices.`;
}

function heatOf(
  reference: DriftReference,
  windows: readonly Window[],
  options: { alpha: number; deadZone: number },
): DriftHeat {
  const byAgent = Map.groupBy(windows, ({ agent }) => agent);
  const lines = [...byAgent].map(([name, own]) => {
    const state = reference.newState(options);
    try {
      for (const { snapshot } of own) state.merge(fromBase64(snapshot));
      const report = state.report();
      return { name, rows: report.n, cells: heatCells(report) };
    } finally {
      state.free();
    }
  });
  const worst = ({ cells }: { cells: readonly (number | null)[] }) => Math.max(-1, ...cells.map((cell) => cell ?? -1));
  const shown = lines.sort((a, b) => worst(b) - worst(a) || (a.name < b.name ? -1 : 1)).slice(0, mostDevices);
  return { of: "device", features: reference.names, lines: shown, more: lines.length - shown.length };
}

/** Texts of a category's codes, in the order of the codes. */
function textsOf({ source, codes }: WatchedFeature, { input }: Pick<Manifest, "input">): string[] {
  if (!codes) return [];
  const field = source.kind === "input" ? input.fields[source.place] : undefined;
  const places =
    source.kind === "label"
      ? [...source.places].map(([text, place]) => [place, text] as const)
      : field?.kind === "category"
        ? [...field.categories.entries()]
        : [];
  const texts: string[] = [];
  for (const [place, text] of places) {
    const code = codes[place];
    // Those without a code of their own share one; the first text does not stand for all of them.
    if (code !== undefined) texts[code] ??= text;
  }
  return texts;
}

function spanOf(windows: readonly Window[]): string {
  const [from, to] = [
    windows.map(({ from }) => from).sort()[0],
    windows
      .map(({ to }) => to)
      .sort()
      .at(-1),
  ];
  const devices = new Set(windows.map(({ agent }) => agent)).size;
  const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  return `${count(windows.length, "window")} of ${count(devices, "device")}, ${minute(from)} to ${minute(to)} UTC`;
}

function minute(iso: string | undefined): string {
  return (iso ?? "").slice(0, 16).replace("T", " ");
}
