/** Models and their immutable versions. */
import { VedetteError } from "@vedette/protocol/errors";
import { asc, eq, getTableColumns } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import { insertMetadata } from "./metadata.ts";
import type { AuditEntry, MetadataRecord, VersionRecord } from "./records.ts";
import { settleRelease } from "./releases.ts";
import { models, versions } from "./schema.ts";

export interface VersionRepository {
  /** Names of all models, sorted. */
  modelNames(): Promise<string[]>;
  /** All versions, of one model where it is named, by model and version. */
  list(model?: string): Promise<VersionRecord[]>;
  findByDigest(digest: string): Promise<VersionRecord | undefined>;
  /** The very text that was hashed. */
  manifest(digest: string): Promise<string | undefined>;
  /**
   * A version and the metadata that makes it a target, in one transaction; where it was proposed, that is settled with it.
   * @throws VedetteError conflict where the number, the digest or a metadata version is taken.
   */
  publish(
    version: VersionRecord,
    manifest: string,
    signed: readonly MetadataRecord[],
    entry: AuditEntry,
  ): Promise<void>;
}

/** All but the manifest, which is long and rarely asked for. */
const { manifest: _manifest, ...facts } = getTableColumns(versions);

export function versionRepository(db: Connection): VersionRepository {
  return {
    async modelNames() {
      const rows = db.select({ name: models.name }).from(models).orderBy(asc(models.name)).all();
      return rows.map((row) => row.name);
    },
    async list(model) {
      const all = db.select(facts).from(versions);
      const some = model === undefined ? all : all.where(eq(versions.model, model));
      return some.orderBy(asc(versions.model), asc(versions.version)).all();
    },
    async findByDigest(digest) {
      return db.select(facts).from(versions).where(eq(versions.digest, digest)).get();
    },
    async manifest(digest) {
      const row = db.select({ manifest: versions.manifest }).from(versions).where(eq(versions.digest, digest)).get();
      return row?.manifest;
    },
    async publish(version, manifest, signed, entry) {
      db.transaction((tx) => {
        tx.insert(models).values({ name: version.model, createdAt: version.createdAt }).onConflictDoNothing().run();
        const written = tx
          .insert(versions)
          .values({ ...version, manifest })
          .onConflictDoNothing()
          .run();
        if (written.changes === 0) {
          throw new VedetteError(
            "conflict",
            `version ${version.version} of ${version.model} was published by someone else just now: publish again`,
          );
        }
        insertMetadata(tx, signed);
        record(tx, entry);
        settleRelease(tx, version, entry);
      });
    },
  };
}
