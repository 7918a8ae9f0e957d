import { createHash } from "node:crypto";
import { join } from "node:path";
import { labelLine } from "@vedette/protocol/labels-api";
import { hashedValue } from "@vedette/protocol/log-policy";
import { expect, onTestFinished, test } from "vitest";
import { testFolder } from "../../../test/batches.ts";
import { manualClock } from "../../../test/clock.ts";
import { noLabels } from "../../../test/no-records.ts";
import { storeVersion } from "../../../test/store-version.ts";
import { openDatabase } from "../../db/database.ts";
import { createLabelIntake } from "./label-intake.ts";
import type { LabelRecord } from "./label-table.ts";

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const salt = "0123456789abcdef".repeat(2);

/** An intake of a site where `rain` was published with these log policies, and what it hands on. */
async function intakeOf(...policies: object[]) {
  const db = await openDatabase(join(testFolder(), "vedette.db"));
  onTestFinished(() => db.close());
  for (const [i, log] of policies.entries()) await storeVersion(db, { version: i + 1, log });
  const rows: LabelRecord[] = [];
  const labels = {
    ...noLabels,
    async add(added: readonly LabelRecord[]) {
      rows.push(...added);
      return { stored: added.length, repeated: 0, corrected: 0, outdated: 0, erased: 0 };
    },
  };
  return { intake: createLabelIntake({ db, labels, clock: manualClock() }), rows, db };
}
const ofAnna = labelLine.parse({ model: "rain", entity: "anna", time: "2026-01-02", label: "dry" });

test("[U15] where rows hold an entity's hash, so do its labels, and the name itself is nowhere", async () => {
  const { intake, rows, db } = await intakeOf({ entity: { mode: "hashed" }, salt });
  await intake.add([ofAnna], "olga");
  const hash = hashedValue(sha256, salt, "anna");
  expect(rows).toMatchObject([{ kind: "entity", key: hash, time: Date.UTC(2026, 0, 2), label: "dry" }]);
  expect(JSON.stringify(await db.audit.latest(10))).not.toContain("anna");
  const mixed = await intakeOf({}, { entity: { mode: "hashed" }, salt });
  await mixed.intake.add([ofAnna], "olga");
  expect(mixed.rows.map(({ key }) => key)).toEqual(["anna", hash]);
});

test("[U15] where a version keeps entities on its devices, a label by them is refused", async () => {
  const { intake, rows } = await intakeOf({ entity: { mode: "none" } });
  await expect(intake.add([ofAnna], "olga")).rejects.toThrow(
    "line 1: the log policy of rain keeps entities on the devices",
  );
  expect(rows).toEqual([]);
});

test("classes are taken as the model writes them: by name, by value, by number; others as they came, and told", async () => {
  const { intake, rows } = await intakeOf({});
  const told = ["rain", 0, "1", "1.0", true, "Rain", 7];
  const lines = told.map((label, i) => labelLine.parse({ model: "rain", request: `r${i}`, label }));
  const { unknownClasses } = await intake.add(lines, "olga");
  expect(rows.map(({ label }) => label)).toEqual(["rain", "dry", "rain", "rain", "true", "Rain", "7"]);
  expect(unknownClasses).toEqual(["true", "Rain", "7"]);
  // A model that nobody published here is watched only: its labels are taken as they are.
  await intake.add([labelLine.parse({ model: "elsewhere", request: "r", label: "Rain" })], "olga");
  expect(rows.at(-1)).toMatchObject({ model: "elsewhere", label: "Rain" });
});
