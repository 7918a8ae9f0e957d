/** How a model does, as it is told: accuracy or error by version, slice and time, each with its interval. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Performance, PerformanceQuery } from "@vedette/protocol/labels-api";
import { z } from "zod";
import type { Database } from "../../db/database.ts";
import type { VersionRecord } from "../../db/records.ts";
import type { Clock, Labels } from "../../ports.ts";
import { riskInterval } from "../../statistics/risk-sequence.ts";

type Group = Awaited<ReturnType<Labels["performance"]>>[number];
type By = Parameters<Labels["performance"]>[0]["by"];
type Row = Performance["rows"][number];
type Measuring = Pick<PerformanceQuery, "model"> & { version?: number | undefined; scale?: number | undefined };

const dayMs = 86_400_000;
/** Errors of a regression are cut off at this many times the training error, where nobody says otherwise. */
const scaleOverTraining = 10;
const trainingData = z.object({ rows: z.int().min(1), accuracy: z.number().optional(), mae: z.number().optional() });

export interface PerformancePorts {
  readonly db: Pick<Database, "versions" | "devices">;
  readonly labels: Labels;
  readonly clock: Clock;
}

/** @throws VedetteError not_found, invalid_argument. */
export async function describePerformance(ports: PerformancePorts, query: PerformanceQuery): Promise<Performance> {
  const { model, version, since, until, by, everyDays, alpha, error } = query;
  const scale = await scaleOf(ports, query);
  const groups = await ports.labels.performance({
    ...{ model, version, since, until, everyDays, error, scale },
    by: await slicing(ports, model, by),
  });
  if (groups.length === 0) await requireModel(ports, model);
  return {
    model,
    at: new Date(ports.clock.now()).toISOString(),
    alpha,
    by: by ?? null,
    rows: groups.map((group) => asRow(group, { alpha, error, scale: scale ?? 1 })),
  };
}

function asRow(
  group: Group,
  { alpha, error, scale }: { alpha: number; error: PerformanceQuery["error"]; scale: number },
): Row {
  const { version, digest, slice, day, predictions, labelled, unreadable, classes, risk } = group;
  const { n, mean, low, high } = riskInterval(risk, alpha);
  const unit = error === "squared" ? scale ** 2 : scale;
  const measured: Pick<Row, "measure" | "scale" | "estimate" | "interval"> = classes
    ? {
        measure: "accuracy",
        scale: null,
        estimate: n === 0 ? null : 1 - mean,
        interval: n === 0 ? null : { low: 1 - high, high: 1 - low },
      }
    : {
        measure: `${error}_error`,
        scale,
        estimate: n === 0 ? null : mean * unit,
        interval: n === 0 ? null : { low: low * unit, high: high * unit },
      };
  const from = day === null ? null : new Date(day * dayMs).toISOString().slice(0, 10);
  return { version, digest, slice, from, predictions, labelled, unreadable, ...measured };
}

async function slicing({ db, labels }: PerformancePorts, model: string, by: string | undefined): Promise<By> {
  if (by === undefined) return { kind: "all" };
  if (by === "device" || by === "source") return { kind: by };
  const [kind, name] = [by.slice(0, by.indexOf(":")), by.slice(by.indexOf(":") + 1)];
  if (kind === "label") {
    const devices = await db.devices.list();
    const values = devices.flatMap((device): [string, string][] => {
      const value = device.labels[name];
      return value === undefined ? [] : [[device.agent, value]];
    });
    return { kind, values };
  }
  const column = await labels.column(model, `in:${name}`);
  if (column === undefined) {
    throw new VedetteError(
      "not_found",
      `no answer of ${model} in the lake has a field ${name}: see its fields with vedette prediction query --model ${model} --wide`,
    );
  }
  return { kind: "field", column };
}

/** From which error on all are equally bad: as it was said, or from the training error of the version (the newest, if none is named). */
export async function scaleOf(
  { db }: Pick<PerformancePorts, "db">,
  { model, version, scale }: Measuring,
): Promise<number | undefined> {
  if (scale !== undefined) return scale;
  const mae = trainingOf(await versionOf(db, model, version))?.mae;
  return mae !== undefined && mae > 0 ? scaleOverTraining * mae : undefined;
}

/** The version that is meant: the newest, if none is named. */
export async function versionOf(
  db: Pick<Database, "versions">,
  model: string,
  version: number | undefined,
): Promise<VersionRecord | undefined> {
  const versions = await db.versions.list(model);
  return version === undefined ? versions.at(-1) : versions.find((one) => one.version === version);
}

/** How a version did on the data that it was published with, where that is known. */
export function trainingOf(version: VersionRecord | undefined): z.infer<typeof trainingData> | undefined {
  const parsed = trainingData.safeParse(version?.lineage.trainingData);
  return parsed.success ? parsed.data : undefined;
}

/** A model that nobody knows would have no performance for ever. Watched ones have rows, and no versions. */
export async function requireModel({ db }: PerformancePorts, model: string): Promise<void> {
  if (!(await db.versions.modelNames()).includes(model)) {
    throw new VedetteError("not_found", `there is no model ${model}: see vedette model list`);
  }
}
