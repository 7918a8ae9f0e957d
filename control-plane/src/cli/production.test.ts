import { expect, it } from "vitest";
import { describeProduction } from "./production.ts";

const at = "2026-01-02T03:04:05.000Z";

it("answers at once: what runs where, trained on what, and how it does", () => {
  const text = describeProduction({
    site: "house",
    at,
    models: [
      {
        model: "rain-gauge",
        versions: [
          {
            version: 2,
            digest: "ab".repeat(32),
            publishedAt: at,
            lineage: {
              reference: { file: "seattle.csv", rows: 911, sha256: "00" },
              trainingData: { rows: 911, accuracy: 0.78155 },
            },
            serving: ["station-1", "station-2"],
            pending: [{ agent: "station-3", state: "rejected", reason: "proof_failed\u001b[2J" }],
            predictions: 120,
            bySource: { model: 100, cache: 15, rule: 5, none: 0 },
            drift: [{ field: "wind", devices: ["station-2"] }],
          },
        ],
      },
    ],
  });
  expect(text).toBe(`Site house, ${at}

rain-gauge version 2  (abababababab, published ${at})
  trained on   seattle.csv, 911 rows, accuracy 0.78155
  serving on   station-1, station-2
  pending      station-3: rejected, proof_failed�[2J
  predictions  120 (100 by model, 15 by cache, 5 by rule, 0 by none)
  drift        wind on station-2
`);
});

it("says what to do where there is nothing, and admits unknown data", () => {
  expect(describeProduction({ site: "house", at, models: [] })).toContain("vedette model publish --help");
  const version = {
    version: 1,
    digest: "cd".repeat(32),
    publishedAt: at,
    lineage: {},
    serving: [],
    pending: [],
    predictions: 0,
    bySource: { model: 0, cache: 0, rule: 0, none: 0 },
    drift: [],
  };
  const text = describeProduction({ site: "house", at, models: [{ model: "m", versions: [version] }] });
  expect(text).toContain("trained on   unknown data");
  expect(text).toContain("serving on   no device");
});
