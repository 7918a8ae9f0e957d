/** From the lake's row to the device's signature: what is proven, and that one changed value is found. */
import { createHash } from "node:crypto";
import { globSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { fromHex, toHex } from "@vedette/protocol/bytes";
import { decodeBatch } from "@vedette/protocol/prediction-batch";
import { commitColumn, commitment, leafOfRow, merkleRoot, type ReceiptValue } from "@vedette/protocol/receipt";
import { expect, onTestFinished, test } from "vitest";
import { epoch, type Made, makeBody, makeFrame, testFolder, testKey, testKeys } from "../../test/batches.ts";
import { silentLogger } from "../../test/clock.ts";
import { systemClock } from "../system-clock.ts";
import { openLake } from "./open-lake.ts";

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const salt = "5a".repeat(16);
const withheld = [1.5, 2.5, 3.5];

/** A frame with receipts, as an agent makes it that keeps `in:secret` for itself. */
function sealed(made: Made) {
  const commits = withheld.map((value, i) => toHex(commitment(hash, fromHex(salt), (made.firstN ?? 0) + i, [value])));
  const columns: Made["columns"] = { [commitColumn]: ["text", commits] };
  const unsealed = { ...made, columns, header: { receipts: { salt, root: "0".repeat(64), closed: ["in:secret"] } } };
  const batch = decodeBatch(makeBody(unsealed));
  const leaves = commits.map((commit, i) => {
    const values = Object.entries(batch.columns).map(([name, data]) => [name, data[i]] as [string, ReceiptValue]);
    return leafOfRow(hash, batch.header, batch.header.firstN + i, Object.fromEntries(values), commit);
  });
  const root = toHex(merkleRoot(hash, leaves));
  return makeFrame({ ...unsealed, header: { receipts: { salt, root, closed: ["in:secret"] } } });
}

async function testLake() {
  const folder = testFolder();
  const opened = await openLake({ folder, clock: systemClock, logger: silentLogger, deviceKeys: testKeys });
  onTestFinished(() => opened.close());
  await opened.ingestion.take("dev", "rain", sealed({ seq: 0 }));
  await opened.ingestion.take("dev", "rain", makeFrame({ seq: 1 }));
  const verify = (n: number, values?: Record<string, ReceiptValue>, key = testKey) =>
    opened.records.verify({ id: `dev.rain.${epoch}.${n}`, ...(values ? { values } : {}) }, async () => key);
  /** Changes the lake's files behind its back. */
  const tamper = async (select: string) => {
    await opened.lake.flush();
    const [file] = globSync(join(folder, "files/**/*.parquet"));
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    await connection.run(`COPY (${select.replace("FILE", `'${file}'`)}) TO '${file}.new' (FORMAT parquet)`);
    connection.closeSync();
    renameSync(`${file}.new`, String(file));
  };
  return { ...opened, verify, tamper };
}

test("[E6] a row is proven from the lake to the device's signature, withheld values by who has them", async () => {
  const { verify } = await testLake();
  for (const n of [0, 1, 2]) expect(await verify(n)).toMatchObject({ proven: true, inputs: null, row: { n } });
  expect(await verify(1, { "in:secret": 2.5 })).toMatchObject({ proven: true, inputs: true });
  expect(await verify(1, { "in:secret": 2.6 })).toMatchObject({ proven: false, inputs: false });
  expect(await verify(1, undefined, "00".repeat(32))).toMatchObject({
    proven: false,
    why: expect.stringContaining("enrolled"),
  });
  expect(await verify(4)).toMatchObject({ proven: false, why: expect.stringContaining("without receipts") });
  await expect(verify(99)).rejects.toMatchObject({ code: "not_found" });
});

test.each([
  ["an input", "SELECT * REPLACE (CASE WHEN n = 2 THEN 99 ELSE in_temp END AS in_temp) FROM FILE"],
  ["a label", "SELECT * REPLACE ('dry' AS label) FROM FILE"],
  ["a source", "SELECT * REPLACE ('rule' AS source) FROM FILE"],
  ["a time by a microsecond", "SELECT * REPLACE (time + INTERVAL 1 MICROSECOND AS time) FROM FILE"],
  ["an entity", "SELECT * REPLACE ('somebody' AS entity) FROM FILE"],
  ["a row that is gone", "SELECT * FROM FILE WHERE n <> 2"],
])("[E7] %s changed in the lake is found, in every row of its batch", async (_, select) => {
  const { verify, tamper } = await testLake();
  expect(await verify(1)).toMatchObject({ proven: true });
  await tamper(select);
  for (const n of [0, 1]) expect(await verify(n)).toMatchObject({ proven: false });
});

test("an erased row is said to be one, and its batch to be provable no more", async () => {
  const { verify, records } = await testLake();
  await records.erase({ entity: "station-1", model: null, expires: Date.now() + 1e6, agents: [] });
  expect(await verify(1)).toMatchObject({
    proven: false,
    why: expect.stringContaining("erased"),
    row: { entity: null },
  });
});
