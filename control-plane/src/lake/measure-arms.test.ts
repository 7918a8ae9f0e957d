/** The split of an experiment's units where the rows of one arm come later than those of the other. */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { lotOf } from "@vedette/protocol/split";
import { expect, test } from "vitest";
import { uniform } from "../../test/uniform.ts";
import type { UnitsRequest } from "../measured.ts";
import { checkRatio } from "../release/experiments/ratio-check.ts";
import { loadTable } from "./join-labels.ts";
import { measureArms } from "./measure-arms.ts";

const hour = 3_600_000;
const salt = "5a".repeat(16);
const share = 0.5;
type Split = UnitsRequest["split"];
interface Answer {
  readonly agent: string;
  readonly entity: string;
  readonly version: number;
  readonly at: number;
}
interface Site {
  readonly split: Split;
  readonly devices: UnitsRequest["devices"];
  readonly answers: readonly Answer[];
}

/** Devices that are asked all the time, for a day: new entities, and some that come again on another device. */
function live(split: Split, many: number, perHour: number, seed: number): Site {
  const random = uniform(seed);
  const devices = Array.from({ length: many }, (_, i) => ({ agent: `d-${i}`, from: 0, candidate: i % 2 === 0 }));
  const answers: Answer[] = [];
  for (let i = 0; i < 24 * perHour; i++) {
    const device = devices[i < many ? i : Math.floor(random() * many)] as (typeof devices)[number];
    const entity = `customer-${Math.floor(random() * 24 * perHour * 2)}`;
    const candidate = split === "devices" ? device.candidate : lotOf(salt, entity) < share;
    answers.push({ agent: device.agent, entity, version: candidate ? 2 : 1, at: (i / perHour) * hour });
  }
  return { split, devices, answers };
}

async function over<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** What the lake has at a moment, and what the check of the split says of it. */
function look({ split, devices, answers }: Site, now: number, cameAt: (one: Answer) => number) {
  return over(async (connection) => {
    const columns = {
      id: "text",
      model: "text",
      agent: "text",
      entity: "text",
      version: "number",
      ms: "number",
    } as const;
    const here = answers.filter((one) => cameAt(one) <= now);
    const rows = here.map(
      ({ agent, entity, version, at }, i) => [`${i}`, "rain", agent, entity, version, at + 1] as const,
    );
    await loadTable(connection, "rows", columns, rows);
    await connection.run("CREATE VIEW predictions AS SELECT *, make_timestamp((ms * 1000)::BIGINT) AS time FROM rows");
    const common = { model: "rain", name: "sales", version: 2, since: 0, settledBefore: now - 24 * hour };
    const arms = await measureArms(connection, { ...common, split, devices, salt, share }, []);
    const { candidate, incumbent } = arms;
    return { arms, check: checkRatio("units", candidate.settled.units, incumbent.settled.units, share) };
  });
}
const moments = [1, 3, 6, 12, 18, 24, 30, 36].map((hours) => hours * hour);
/** By device or by version. */
const late = (split: Split, version: number, { agent, version: by }: Answer) =>
  split === "devices" ? (Number(agent.slice(2)) % 2 === 0 ? 2 : 1) === version : by === version;

test.each<[string, Split, number]>([
  ["entities, the candidate's rows", "entities", 2],
  ["entities, the incumbent's rows", "entities", 1],
  ["devices of the candidate's arm", "devices", 2],
  ["devices of the incumbent's arm", "devices", 1],
])(
  "[C18] where one arm's rows come hours later no look says that the split is not as planned: %s",
  async (_, split, version) => {
    const site = live(split, split === "devices" ? 300 : 6, 150, 7);
    for (const hours of [0.1, 5, 11]) {
      let unlike = 0;
      for (const now of moments) {
        const cameAt = (one: Answer) => one.at + (late(split, version, one) ? hours * hour : 1000);
        const { arms, check } = await look(site, now, cameAt);
        const { candidate, incumbent } = arms;
        if (checkRatio("units", candidate.units, incumbent.units, share).alarm) unlike++;
        expect(check).toMatchObject({ alarm: false });
        expect(candidate.settled.units).toBeLessThanOrEqual(candidate.units);
      }
      // All that came would have alarmed.
      if (hours > 1) expect(unlike).toBeGreaterThan(0);
      // Once all is here nearly all is looked at.
      const { arms, check } = await look(site, 30 * hour, () => 0);
      expect(check.candidate + check.incumbent).toBeGreaterThan(0.95 * (arms.candidate.units + arms.incumbent.units));
    }
  },
);

test("[C18] an arm that loses rows is found at once, and one of which nothing comes after a day", async () => {
  const site = live("entities", 6, 100, 11);
  // By entity: those that are lost are lost for good.
  const lost = ({ version, entity }: Answer) => version === 2 && lotOf("f0".repeat(16), entity) < 0.5;
  const partly = await look(site, 12 * hour, (one) => (lost(one) ? Number.POSITIVE_INFINITY : one.at));
  expect(partly.check).toMatchObject({ alarm: true });

  const silent = (one: Answer) => (one.version === 2 && one.at > hour ? Number.POSITIVE_INFINITY : one.at);
  const [soon, later] = [await look(site, 12 * hour, silent), await look(site, 36 * hour, silent)];
  expect(soon.check).toMatchObject({ alarm: false });
  expect(later.check).toMatchObject({ alarm: true });
});
