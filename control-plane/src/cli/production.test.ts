import type { Production } from "@vedette/protocol/production-api";
import { expect, it } from "vitest";
import { describeProduction } from "./production.ts";

const at = "2026-01-02T03:04:05.000Z";
const published = {
  version: 1,
  digest: "cd".repeat(32),
  publishedAt: at,
  lineage: {},
  assignedTo: [],
  serving: [],
  pending: [],
  reported: null,
  predictions: 0,
  bySource: { model: 0, cache: 0, rule: 0, none: 0 },
  drift: [],
};
const modelOf = (model: string, versions: Production["models"][number]["versions"], otherPredictions = 0) => ({
  model,
  versions,
  published: versions.map(({ version }) => version).toSorted(),
  otherPredictions,
});
const tell = (version: object) =>
  describeProduction({ site: "house", at, models: [modelOf("m", [{ ...published, ...version }])] });

it("answers at once: what runs where, trained when and on what, and how it does", () => {
  const version = {
    ...published,
    version: 2,
    digest: "ab".repeat(32),
    lineage: {
      reference: { file: "seattle.csv", rows: 911, sha256: "00" },
      trainedAt: "2014-07-01T00:00:00.000Z",
      trainingData: { rows: 911, accuracy: 0.78155 },
    },
    assignedTo: [{ all: true as const }],
    serving: ["station-1", "station-2"],
    pending: [
      { agent: "station-3", state: "rejected", reason: "proof_failed\u001b[2J" },
      { agent: "station-4", state: "probation", reason: null, passed: 7, of: 20 },
    ],
    reported: { first: at, last: "2026-01-02T03:06:00.000Z" },
    predictions: 120,
    bySource: { model: 100, cache: 15, rule: 5, none: 0 },
    drift: [{ field: "wind", devices: ["station-2"] }],
  };
  expect(
    describeProduction({ site: "house", at, models: [modelOf("rain-gauge", [published, version])] }),
  ).toBe(`Site house, 2026-01-02 03:04 UTC

rain-gauge version 2: in production on 2 of 4 devices, inputs DRIFT on 1
  published     2026-01-02 03:04 UTC, digest abababababab
  trained       2014-07-01 00:00 UTC, on seattle.csv, 911 rows (there: accuracy 0.782)
  assigned to   all devices
  serving on    station-1, station-2
  on probation  answering: station-4 (7 of 20); a device serves after that many answers without a fault
  pending       station-3: rejected, proof_failed�[2J
  answers       120: 100 by model (83.3 %), 15 by cache (12.5 %), 5 by rule (4.2 %), as stored in the lake at 2026-01-02 03:04 UTC
  drift         wind on station-2
  reported      by the devices from 2026-01-02 03:04 UTC to 2026-01-02 03:06 UTC

rain-gauge version 1: published, and assigned to nobody (vedette model assign --help)
  published     2026-01-02 03:04 UTC, digest cdcdcdcdcdcd
  trained       at a time that was not told (publish says --trained-at), on unknown data
  assigned to   nobody
  serving on    no device
`);
});

it("tells of predictions that were lost, once a model", () => {
  const versions = [published, { ...published, version: 2 }];
  const told = describeProduction({
    site: "house",
    at,
    models: [{ model: "m", missing: 17, versions, published: [1], otherPredictions: 0 }],
  });
  expect(told.split("\n").filter((line) => line.includes("missing"))).toEqual([
    "m also: 17 answers missing, as the devices themselves counted (vedette model list)",
  ]);
});

it("says what to do next where nothing is published, assigned, or enrolled", () => {
  expect(describeProduction({ site: "house", at, models: [] })).toContain("vedette model publish --help");
  expect(tell({})).toContain("vedette model assign --help");
  const assigned = tell({ assignedTo: [{ labels: { city: "seattle", kind: "page" } }, { devices: ["a", "b"] }] });
  expect(assigned).toContain("vedette device enroll --help");
  const before = tell({ assignedTo: [{ all: true }], predictions: 5 });
  expect(before).toContain("assigned, and no device has it any more: newer rules go first");
  expect(assigned).toContain("assigned to   devices with city=seattle and kind=page; a, b\n");
});

it("names a few devices of many", () => {
  const serving = Array.from({ length: 1000 }, (_, i) => `d${i}`);
  const text = tell({ serving });
  expect(text).toContain("in production on 1000 of 1000 devices\n");
  expect(text).toContain("serving on    d0, d1, d2, d3, d4, d5, and 994 more\n");
  expect(text).toContain("drift         none seen\n");
  const pending = serving.map((agent) => ({ agent, state: "absent", reason: null }));
  expect(tell({ pending })).toContain("and 994 more: vedette device list\n");
  expect(tell({ pending })).toContain("assigned, and none of 1000 devices serves it yet\n");
});

it("a version on probation is seen to answer, and a model that is assigned to nobody says so", () => {
  const pending = [{ agent: "pump-1", state: "probation", reason: null, passed: 7, of: 20 }];
  const trial = tell({ assignedTo: [{ all: true }], pending });
  expect(trial).toContain("m version 1: on probation on 1 of 1 device, and answering there\n");
  expect(trial).toContain("on probation  answering: pump-1 (7 of 20); ");
  const withdrawn = describeProduction({
    site: "house",
    at,
    models: [{ ...modelOf("m", [{ ...published, version: 3 }], 12), published: [1, 2, 3] }],
  });
  expect(withdrawn).toContain(
    "No version of m is assigned to anybody: vedette model assign --name m --version 3 --all\n",
  );
  expect(withdrawn).toContain("m also: versions 1, 2 published; 12 answers in the lake by these or before any");
});

it("says what the fleet's own detectors found, and of whom", () => {
  const event = { id: 3, verdict: "critical" as const, features: ["wind", "out:label"], since: at };
  const fleetDrift = {
    verdict: "critical" as const,
    top: "wind",
    rounds: 12,
    rows: 3072,
    events: [
      { ...event, scope: { kind: "cohort" as const, label: "city", value: "york" } },
      { ...event, id: 4, scope: { kind: "device" as const, agent: "d7" } },
    ],
  };
  const text = tell({ serving: ["d7"], fleetDrift });
  expect(text).toContain("  fleet drift   critical; 3072 rows in 12 rounds since the last alarm\n");
  expect(text).toContain("event 3: critical on devices with city=york since 2026-01-02 03:04 UTC: wind, out:label\n");
  expect(text).toContain("event 4: critical on device d7 since");
  expect(tell({ serving: ["d7"], fleetDrift: { ...fleetDrift, verdict: "none", events: [] } })).toContain(
    "fleet drift   none; 3072 rows",
  );
});

it.each([
  ["running", {}, "vedette rollout watch 7"],
  ["scheduled", {}, "vedette rollout watch 7"],
  ["waiting_for_approval", {}, 'vedette rollout approve 7 --stage 2, or vedette rollout abort 7 --reason "..."'],
  ["paused", {}, 'vedette rollout resume 7, or vedette rollout abort 7 --reason "..."'],
  ["paused", { experiment: true }, "vedette experiment resume 7, or vedette experiment stop 7"],
  ["running", { experiment: true }, "vedette experiment watch 7"],
])("[R86] a release under way names the command that is wanted: %s %j", (state, over, next) => {
  const one = { id: 7, model: "m", version: 2, state, stage: 2, stages: 4, why: "because", ...over };
  expect(describeProduction({ site: "house", at, models: [], rollouts: [one] })).toContain(`\n  because\n  ${next}\n`);
});
