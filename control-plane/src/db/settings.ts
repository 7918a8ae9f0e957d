/** Facts about this installation. */
import { VedetteError } from "@vedette/protocol/errors";
import { eq } from "drizzle-orm";
import type { Connection } from "./connection.ts";
import { settings } from "./schema.ts";

export interface SettingsRepository {
  /** Writes the site at the first start. @throws VedetteError conflict where the database belongs to another site. */
  claimSite(site: string): Promise<void>;
  /** What a room of the control plane noted under a key; undefined where nothing. */
  read(key: `note:${string}`): Promise<string | undefined>;
  write(key: `note:${string}`, value: string): Promise<void>;
}

export function settingsRepository(db: Connection): SettingsRepository {
  return {
    async claimSite(site) {
      db.insert(settings).values({ key: "site", value: site }).onConflictDoNothing().run();
      const kept = db.select().from(settings).where(eq(settings.key, "site")).get();
      if (kept?.value === site) return;
      throw new VedetteError(
        "conflict",
        `the data folder belongs to site ${kept?.value}, not ${site}: start with --site ${kept?.value}, or with another home folder`,
      );
    },
    async read(key) {
      return db.select().from(settings).where(eq(settings.key, key)).get()?.value;
    },
    async write(key, value) {
      const set = { value };
      db.insert(settings).values({ key, value }).onConflictDoUpdate({ target: settings.key, set }).run();
    },
  };
}
