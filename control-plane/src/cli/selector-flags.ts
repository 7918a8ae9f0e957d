/** Which model, which version, which devices: flags that several commands share. */
import type { selector } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import type { z } from "zod";
import type { ApiClient } from "./api-client.ts";

export interface SelectorFlags {
  all?: boolean;
  device?: string[];
  label?: Record<string, string>;
}

/** @throws VedetteError invalid_argument where not exactly one of them is given. */
export function selectorOf(flags: SelectorFlags): z.infer<typeof selector> {
  const given = [flags.all, flags.device, flags.label].filter((flag) => flag !== undefined);
  if (given.length !== 1) {
    throw new VedetteError("invalid_argument", "say which devices with exactly one of --all, --device and --label");
  }
  if (flags.device) return { devices: flags.device };
  return flags.label ? { labels: flags.label } : { all: true };
}

/** The newest version of a model. @throws VedetteError not_found. */
export async function newest(api: ApiClient, name: string): Promise<number> {
  const versions = (await api.versions()).filter((version) => version.model === name);
  if (versions.length > 0) return Math.max(...versions.map((version) => version.version));
  throw new VedetteError("not_found", `there is no model ${name}: see vedette model list`);
}
