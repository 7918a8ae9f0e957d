import { createHash } from "node:crypto";
import { join } from "node:path";
import { hashedValue } from "@vedette/protocol/log-policy";
import { expect, test } from "vitest";
import { testFolder } from "../../test/batches.ts";
import { noRecords } from "../../test/no-records.ts";
import { storeVersion } from "../../test/store-version.ts";
import { openDatabase } from "../db/database.ts";
import { createErasures } from "./erasures.ts";

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

test("[E8] an entity is erased under the hash that a version's log policy gives it, too", async () => {
  const db = await openDatabase(join(testFolder(), "vedette.db"));
  const salt = "0123456789abcdef".repeat(2);
  await storeVersion(db, { log: { entity: { mode: "hashed" }, salt } });
  const asked: { entity: string; model: string | null }[] = [];
  const erasures = createErasures({
    db,
    clock: { now: () => 0, after: () => () => {} },
    tell: async () => {},
    records: {
      ...noRecords,
      async erase({ entity, model }) {
        asked.push({ entity, model });
        const at = "2026-11-23T12:00:00.000Z";
        return { id: "e1", model, requestedAt: at, expiresAt: at, doneAt: at, rows: 2, lateRows: 0, devices: [] };
      },
    },
  });
  expect((await erasures.erase({ entity: "anna", ttlDays: 1 }, "admin")).rows).toBe(4);
  expect(asked).toEqual([
    { entity: "anna", model: null },
    { entity: hashedValue(sha256, salt, "anna"), model: "rain" },
  ]);
  await db.close();
});
