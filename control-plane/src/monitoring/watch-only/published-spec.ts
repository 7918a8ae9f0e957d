/** What a published version says of itself, as much as watching it elsewhere needs. */
import { parseManifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { ruleOfField } from "@vedette/protocol/log-policy";
import type { WatchedField, WatchSpec } from "@vedette/protocol/watch-api";
import type { Database } from "../../db/database.ts";
import type { BlobStore } from "../../ports.ts";
import { readReference } from "../../registry/read-reference.ts";

export interface PublishedSpec {
  readonly digest: string;
  readonly release: number;
  readonly spec: WatchSpec;
  readonly reference: Uint8Array;
}

/** @throws VedetteError not_found; unsupported where it takes raw tensors, or its log policy withholds what would come in. */
export async function publishedSpec(
  ports: { db: Pick<Database, "versions">; blobs: Pick<BlobStore, "get"> },
  model: string,
  version: number,
): Promise<PublishedSpec> {
  const { db, blobs } = ports;
  const found = (await db.versions.list(model)).find((one) => one.version === version);
  const text = found && (await db.versions.manifest(found.digest));
  if (!found || text === undefined)
    throw new VedetteError("not_found", `there is no version ${version} of ${model}: see vedette model list`);
  const manifest = parseManifest(text);
  const { input, output, drift, log } = manifest;
  const fields = input.fields.map((field): WatchedField => {
    if (ruleOfField(log, field.name).mode !== "full") {
      const why = `the log policy of ${model} withholds ${field.name}, and what a server elsewhere sends is not withheld`;
      throw new VedetteError("unsupported", `${why}: watch it under another name, by --reference`);
    }
    if (field.kind === "number") return { kind: "number", name: field.name };
    if (field.kind === "category") return { kind: "category", name: field.name, categories: [...field.categories] };
    throw new VedetteError(
      "unsupported",
      `${model} takes raw tensors (${field.tensor}): only rows of fields are watched`,
    );
  });
  const task = output.task === "tensor" ? "unknown" : output.task;
  const classes = output.task === "classification" ? output.classes.slice(0, 100) : [];
  const { alpha, windowRows } = drift;
  return {
    digest: found.digest,
    release: version,
    spec: { fields, task, classes, drift: { alpha, windowRows } },
    reference: await readReference(blobs, manifest, `${model} version ${version}`),
  };
}
