/**
 * What operators and programs tell of predictions, on its way to where it is kept: classes as the model writes them,
 * entities as the model's rows name them. One audit entry a request; no entity and no label is ever in it.
 */
import { createHash } from "node:crypto";
import { parseManifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { parsePredictionId } from "@vedette/protocol/ids";
import type { LabelLine, LabelsAnswer, MetricLine, MetricsAnswer } from "@vedette/protocol/labels-api";
import { hashedValue } from "@vedette/protocol/log-policy";
import type { Database } from "../../db/database.ts";
import type { Clock, Labels } from "../../ports.ts";
import type { LabelRecord } from "./label-table.ts";
import type { MetricRecord } from "./metric-table.ts";

export interface LabelIntake {
  add(lines: readonly LabelLine[], actor: string): Promise<LabelsAnswer>;
  addMetrics(lines: readonly MetricLine[], actor: string): Promise<MetricsAnswer>;
}

/** What is said of labels and entities by a version. */
interface VersionFacts {
  /** Null: it answers numbers, or tensors. */
  readonly classes: readonly string[] | null;
  /** How its rows name an entity; a salt where they hash it. */
  readonly entity: "plain" | "withheld" | { readonly salt: string };
}

const mostUnknown = 10;
/** Models that an audit entry names. */
const mostNamed = 10;

export function createLabelIntake(ports: {
  db: Pick<Database, "versions" | "audit">;
  labels: Labels;
  clock: Clock;
}): LabelIntake {
  const { db, labels, clock } = ports;
  /** By digest: a version never changes. */
  const known = new Map<string, VersionFacts>();
  const factsOf = async (model: string): Promise<VersionFacts[]> => {
    const facts: VersionFacts[] = [];
    for (const { digest } of await db.versions.list(model)) {
      const found = known.get(digest) ?? describe(await db.versions.manifest(digest));
      known.set(digest, found);
      facts.push(found);
    }
    return facts;
  };
  /** Each model of a request is looked up once. */
  const lookUp = () => {
    const models = new Map<string, Promise<VersionFacts[]>>();
    return (model: string) => {
      const facts = models.get(model) ?? factsOf(model);
      models.set(model, facts);
      return facts;
    };
  };
  const record = (actor: string, action: string, models: readonly string[], detail: Record<string, unknown>) => {
    const names = [...new Set(models)].sort();
    const subject = names.length > mostNamed ? `${names.length} models` : names.join(" ");
    return db.audit.append({ at: clock.now(), actor, action, subject, detail });
  };

  return {
    async add(lines, actor) {
      const facts = lookUp();
      const rows: LabelRecord[] = [];
      const unknown = new Set<string>();
      for (const [i, line] of lines.entries()) {
        const model = modelOf(line);
        const versions = await facts(model);
        const classes = versions.at(-1)?.classes ?? null;
        const label = asClass(line.label, classes);
        if (classes && !versions.some((version) => version.classes?.includes(label))) unknown.add(label);
        const at = line.at === undefined ? null : utcMs(line.at);
        for (const key of keysOf(line, versions, i)) rows.push({ model, ...key, label, at });
      }
      const added = await labels.add(rows);
      const answer = { lines: lines.length, ...added };
      await record(
        actor,
        "label.add",
        rows.map(({ model }) => model),
        answer,
      );
      return { ...answer, unknownClasses: [...unknown].slice(0, mostUnknown) };
    },
    async addMetrics(lines, actor) {
      const facts = lookUp();
      const rows: MetricRecord[] = [];
      for (const line of lines) {
        const { id, model, version, device, entity, prediction, name, value, at } = line;
        if (prediction !== undefined && parsePredictionId(prediction)?.stream !== model) {
          throw new VedetteError(
            "invalid_argument",
            `the metric ${name} is told of ${model}, and ${prediction} is another model's`,
          );
        }
        // Where rows hold a hash, so does the metric: the newest version's.
        const names = entity === undefined ? [] : entityNames(entity, await facts(model));
        rows.push({
          model,
          name,
          external: id ?? null,
          version: version ?? null,
          device: device ?? null,
          entity: names.at(-1) ?? null,
          prediction: prediction ?? null,
          value,
          at: utcMs(at),
        });
      }
      const answer = { lines: lines.length, ...(await labels.addMetrics(rows)) };
      await record(
        actor,
        "metric.add",
        rows.map(({ model }) => model),
        answer,
      );
      return answer;
    },
  };
}

function describe(text: string | undefined): VersionFacts {
  if (text === undefined) return { classes: null, entity: "plain" };
  const { output, log } = parseManifest(text);
  const mode = log.entity?.mode ?? "full";
  return {
    classes: output.task === "classification" ? output.classes : null,
    entity: mode === "none" ? "withheld" : mode === "hashed" ? { salt: log.salt ?? "" } : "plain",
  };
}

function modelOf({ id, model }: LabelLine): string {
  const named = model ?? (id === undefined ? undefined : parsePredictionId(id)?.stream);
  if (named === undefined)
    throw new VedetteError("invalid_argument", "a label says neither its model nor a prediction's id");
  return named;
}

function keysOf(
  { id, model, entity, time, request }: LabelLine,
  versions: readonly VersionFacts[],
  line: number,
): Pick<LabelRecord, "kind" | "key" | "time">[] {
  if (id !== undefined) return [{ kind: "id", key: id, time: 0 }];
  if (request !== undefined) return [{ kind: "request", key: request, time: 0 }];
  if (entity === undefined || time === undefined) return [];
  const names = entityNames(entity, versions);
  if (names.length === 0) {
    throw new VedetteError(
      "invalid_argument",
      `line ${line + 1}: the log policy of ${model} keeps entities on the devices, so that nothing can be found by them: label by id`,
    );
  }
  return names.map((key) => ({ kind: "entity", key, time: utcMs(time) }));
}

/** What rows of these versions call an entity. A model that nobody published here (watched only) calls it by its name. */
function entityNames(entity: string, versions: readonly VersionFacts[]): string[] {
  if (versions.length === 0) return [entity];
  const names = versions.flatMap((version) => {
    if (version.entity === "withheld") return [];
    return [version.entity === "plain" ? entity : hashedValue(sha256, version.entity.salt, entity)];
  });
  return [...new Set(names)];
}

/** A class by its name; a number that is no name by its value (`1.0` is `1`) or its place, as training data have it. */
function asClass(label: LabelLine["label"], classes: readonly string[] | null): string {
  const text = String(label);
  if (!classes || classes.includes(text) || text.trim() === "") return text;
  const number = Number(text);
  if (classes.includes(String(number))) return String(number);
  return (Number.isInteger(number) && classes[number]) || text;
}

function utcMs(moment: string | number): number {
  return typeof moment === "number" ? moment : Date.parse(moment);
}

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
