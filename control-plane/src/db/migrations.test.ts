import { readdir, readFile } from "node:fs/promises";
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from "drizzle-kit/api";
import { expect, test } from "vitest";
import * as alerts from "./alerts-schema.ts";
import * as drift from "./drift-schema.ts";
import * as gates from "./gates-schema.ts";
import * as releases from "./releases-schema.ts";
import * as rollouts from "./rollouts-schema.ts";
import * as rest from "./schema.ts";
import * as shadows from "./shadows-schema.ts";
import * as watches from "./watches-schema.ts";

test("the migrations lead to the schema: `npm run migrations --workspace control-plane` has nothing to write", async () => {
  const folder = new URL("../../migrations/meta/", import.meta.url);
  const snapshots = (await readdir(folder)).filter((name) => name.endsWith("_snapshot.json")).sort();
  const newest = JSON.parse(await readFile(new URL(snapshots.at(-1) ?? "", folder), "utf8"));
  const now = await generateSQLiteDrizzleJson(
    { ...rest, ...drift, ...alerts, ...watches, ...shadows, ...rollouts, ...gates, ...releases },
    newest.id,
    "snake_case",
  );
  expect(await generateSQLiteMigration(newest, now)).toEqual([]);
});
