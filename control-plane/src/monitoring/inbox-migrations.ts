/**
 * How the records' SQLite file came to be, step by step; `PRAGMA user_version` says how many were taken. Steps are only
 * ever appended. The first one is also what files had from before there were steps.
 */
const first = `
  CREATE TABLE IF NOT EXISTS spools (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL, stream TEXT NOT NULL, epoch TEXT NOT NULL,
    up_to INTEGER NOT NULL DEFAULT -1,
    UNIQUE (agent, stream, epoch)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS keys (
    spool INTEGER NOT NULL, seq INTEGER NOT NULL, sha256 BLOB NOT NULL, refused TEXT,
    PRIMARY KEY (spool, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ranges (
    spool INTEGER NOT NULL, seq INTEGER NOT NULL, first_n INTEGER NOT NULL, next_n INTEGER NOT NULL,
    PRIMARY KEY (spool, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL, received INTEGER NOT NULL, frame BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS refused_frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, agent TEXT NOT NULL, stream TEXT NOT NULL, why TEXT NOT NULL, frame BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS gaps (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL, model TEXT NOT NULL, epoch TEXT NOT NULL,
    from_n INTEGER NOT NULL, to_n INTEGER NOT NULL, received INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS lake_columns (
    model TEXT NOT NULL, original TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (model, original), UNIQUE (model, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS lake_files (
    path TEXT PRIMARY KEY,
    model TEXT NOT NULL, hour TEXT NOT NULL,
    first_batch INTEGER NOT NULL, last_batch INTEGER NOT NULL,
    rows INTEGER NOT NULL, compacted INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Why numbers are missing; and what outlives the rows themselves: counts of those that retention removed, tombstones of
 * those that were erased, sinks and how far each has read, receipts.
 */
const records = `
  ALTER TABLE gaps ADD COLUMN reason TEXT NOT NULL DEFAULT 'power_loss';
  ALTER TABLE gaps ADD COLUMN digest TEXT;
  ALTER TABLE gaps ADD COLUMN release INTEGER;
  CREATE INDEX gaps_of_spool ON gaps (agent, model, epoch, to_n);

  -- Every number below told_n is stored or in a gap; told_seq is the batch that it reaches to.
  ALTER TABLE spools ADD COLUMN told_n INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE spools ADD COLUMN told_seq INTEGER NOT NULL DEFAULT -1;
  UPDATE spools SET
    told_n = coalesce((SELECT max(next_n) FROM ranges WHERE spool = id AND seq <= up_to), 0),
    told_seq = coalesce((SELECT max(seq) FROM ranges WHERE spool = id AND seq <= up_to), -1);
  -- Batches that their device has no more and this control plane never had, as after a restored backup.
  CREATE TABLE lost_batches (
    spool INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, found INTEGER NOT NULL,
    PRIMARY KEY (spool, from_seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE withheld (
    model TEXT NOT NULL, column_name TEXT NOT NULL, mode TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (model, column_name, mode)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE proofs (
    agent TEXT NOT NULL, model TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
    first_n INTEGER NOT NULL, next_n INTEGER NOT NULL, received INTEGER NOT NULL,
    head BLOB NOT NULL, signature TEXT NOT NULL, public_key TEXT NOT NULL, header BLOB NOT NULL,
    PRIMARY KEY (agent, model, epoch, first_n)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE retention (model TEXT PRIMARY KEY, days INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE removed_rows (
    model TEXT NOT NULL, digest TEXT NOT NULL, release INTEGER NOT NULL,
    source TEXT NOT NULL, reason TEXT NOT NULL, erased INTEGER NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (model, digest, release, source, reason, erased)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE erasures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    model TEXT, hash TEXT NOT NULL,
    before INTEGER NOT NULL, expires INTEGER NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0, late_rows INTEGER NOT NULL DEFAULT 0, done INTEGER
  ) STRICT;
  CREATE TABLE erasure_devices (
    erasure INTEGER NOT NULL REFERENCES erasures (id), agent TEXT NOT NULL,
    rows INTEGER, finished INTEGER, why TEXT,
    PRIMARY KEY (erasure, agent)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX erasure_devices_pending ON erasure_devices (agent) WHERE finished IS NULL;
  ALTER TABLE lake_files ADD COLUMN erased_to INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE sinks (
    name TEXT PRIMARY KEY, url TEXT NOT NULL, model TEXT, created INTEGER NOT NULL,
    batch INTEGER NOT NULL, n INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, retry_at INTEGER NOT NULL DEFAULT 0,
    last_error TEXT, last_delivery INTEGER
  ) STRICT, WITHOUT ROWID;
`;

/**
 * What came of predictions: the label that holds, in the order in which labels were first told, those it replaced, and how
 * many were corrected, erased and removed; and numbers that the business counts.
 */
const labels = `
  CREATE TABLE labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, time INTEGER NOT NULL,
    label TEXT NOT NULL, at INTEGER NOT NULL, received INTEGER NOT NULL,
    UNIQUE (model, kind, key, time)
  ) STRICT;
  CREATE TABLE former_labels (
    label_id INTEGER NOT NULL, label TEXT NOT NULL, at INTEGER NOT NULL, received INTEGER NOT NULL,
    PRIMARY KEY (label_id, label, at)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER former_labels_go AFTER DELETE ON labels
    BEGIN DELETE FROM former_labels WHERE label_id = old.id; END;
  CREATE TABLE label_counts (
    model TEXT NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (model, what)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE business_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL, name TEXT NOT NULL, external TEXT,
    version INTEGER, device TEXT, entity TEXT,
    value REAL NOT NULL, at INTEGER NOT NULL, received INTEGER NOT NULL,
    UNIQUE (model, name, external)
  ) STRICT;
`;

/** Metrics that say which prediction they came of. */
const metricsOfPredictions = `
  ALTER TABLE business_metrics ADD COLUMN prediction TEXT;
  CREATE INDEX business_metrics_by_prediction ON business_metrics (prediction) WHERE prediction IS NOT NULL;
`;

export const inboxMigrations: readonly string[] = [first, records, labels, metricsOfPredictions];
