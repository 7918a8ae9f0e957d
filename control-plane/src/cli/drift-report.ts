/** `vedette drift report`: what the fleet's devices sent and the control plane made of it, as a table and one HTML file. */
import { parseManifest } from "@vedette/protocol/bundle";
import { concatBytes } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import type { Command } from "commander";
import { describeFleet } from "../monitoring/drift-report/describe-fleet.ts";
import type { DriftHarm } from "../monitoring/drift-report/drift-document.ts";
import type { ApiClient } from "./api-client.ts";
import { contextOf } from "./context.ts";
import { describeDrift } from "./drift-text.ts";
import type { Io } from "./io.ts";
import { integer, moment } from "./option-values.ts";
import { writePage } from "./write-page.ts";

/** As many as the control plane gives at once. */
const mostWindows = 1000;

interface ReportFlags {
  model: string;
  version?: number;
  since?: string;
  /** A name, where one was given; false with --no-html. */
  html?: string | false;
}

export function addReport(drift: Command, io: Io): void {
  drift
    .command("report")
    .requiredOption("--model <name>", "of this model")
    .option(
      "--version <number>",
      "of this version (default: of those that devices sent windows of, the one most serve)",
      integer,
    )
    .option("--since <moment>", "windows received from then on (default: the newest 1000)", moment)
    .option("--html <file>", "where the page goes (default: drift-<model>-v<version>.html, here)")
    .option("--no-html", "the table alone")
    .description("what moved since training: by feature, device and time; a table, and one HTML file")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette drift report --model pump\n  $ vedette drift report --model pump --since 2027-01-31 --html pump.html",
    )
    .action(async (flags: ReportFlags, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const { model, html, since } = flags;
      const { versions, events } = await api.drift({ model, version: flags.version });
      const serving = flags.version === undefined && versions.length > 1 ? await servingOf(api, model) : noneServes;
      const version = versions.toSorted((a, b) => serving(b.version) - serving(a.version) || b.version - a.version)[0];
      if (!version) throw await nothing(api, model, flags.version);
      const all = await api.driftWindows({ model, version: version.version, limit: mostWindows });
      const windows = since === undefined ? all : all.filter(({ receivedAt }) => receivedAt >= since);
      if (windows.length === 0) {
        const last = all[0] ? `the last one came at ${all[0].receivedAt}` : "none is kept any more";
        throw new VedetteError("not_found", `no window of ${model} version ${version.version} fits: ${last}`);
      }
      const notes = all.length === mostWindows ? [`Only the newest ${mostWindows} windows are in it.`] : [];
      const { manifest, reference } = await referenceOf(api, model, version.version);
      const harm = await harmOf(api, { model, version: version.version, since: since ?? oldest(windows) });
      const parts = { version, events, windows, manifest, reference, harm, notes, now: io.now() };
      const document = describeFleet(parts, await loadKernelsNode());
      const file = html ?? `drift-${model}-v${version.version}.html`;
      if (file !== false) await writePage(file, document, io);
      context.answer({ ...document, html: file === false ? null : file }, describeDrift(document));
    });
}

const noneServes = (): number => 0;

/** How many devices serve a version: one that was taken back a moment ago is not what is asked about. */
async function servingOf(api: ApiClient, model: string): Promise<(version: number) => number> {
  const { models } = await api.production();
  const versions = models.find((one) => one.model === model)?.versions ?? [];
  const devices = new Map(versions.map(({ version, serving }) => [version, serving.length]));
  return (version) => devices.get(version) ?? 0;
}

/** The reference as it was signed, out of the version's bundle. @throws VedetteError not_found, digest_mismatch. */
async function referenceOf(api: ApiClient, model: string, version: number) {
  const manifest = parseManifest((await api.modelSignature(model, version)).manifest);
  const file = manifest.files.find(({ path }) => path === manifest.drift.file);
  const chunks = await Promise.all((file?.chunks ?? []).map(({ sha256 }) => api.blob(sha256)));
  return { manifest, reference: concatBytes(chunks) };
}

async function nothing(api: ApiClient, model: string, version: number | undefined): Promise<VedetteError> {
  const known = (await api.models()).models.find(({ name }) => name === model);
  if (!known) return new VedetteError("not_found", `there is no model ${model}: see vedette model list`);
  if (version !== undefined && !known.versions.some((one) => one.version === version))
    return new VedetteError("not_found", `${model} has no version ${version}: see vedette model list`);
  const what = version === undefined ? model : `${model} version ${version}`;
  return new VedetteError(
    "not_found",
    `no device has sent a window of ${what} yet: one is a few hundred predictions, or an hour of them`,
  );
}

/** What labels say since the first of these windows. Without labels: unknown, and why. */
async function harmOf(api: ApiClient, asked: { model: string; version: number; since: string }): Promise<DriftHarm> {
  const { verdict, why } = await api.harm(asked);
  return { verdict, why };
}

/** Just before the first of them: devices' clocks are corrected to a second or so. */
function oldest(windows: readonly { readonly from: string }[]): string {
  const first = windows.reduce((least, { from }) => (from < least ? from : least), windows[0]?.from ?? "");
  return new Date(Date.parse(first) - 2_000).toISOString();
}
