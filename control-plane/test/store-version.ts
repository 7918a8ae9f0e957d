/** A version in the database as publishing leaves it there; no key signed it. */
import type { Database } from "../src/db/database.ts";
import type { VersionRecord } from "../src/db/records.ts";
import { makeBundle } from "./bundle.ts";

/** @param given.log the log policy, where it is not that everything is logged. */
export async function storeVersion(
  db: Pick<Database, "versions">,
  given: { version?: number; log?: object } = {},
): Promise<VersionRecord> {
  const { version = 1, log } = given;
  const { model, manifest, digest, length } = makeBundle("rain", `version ${version}`);
  const plain = JSON.parse(manifest) as Pick<VersionRecord, "requires" | "lineage">;
  const text = log ? JSON.stringify({ ...plain, critical: ["log"], log: { inputs: "full", ...log } }) : manifest;
  const record: VersionRecord = {
    model,
    version,
    digest,
    length,
    bytes: 1,
    task: "classification",
    createdAt: 0,
    publishedBy: "test",
    requires: plain.requires,
    lineage: plain.lineage,
    modelSignature: null,
  };
  const entry = { at: 0, actor: "test", action: "version.publish", subject: model, detail: {} };
  await db.versions.publish(record, text, [], entry);
  return record;
}
