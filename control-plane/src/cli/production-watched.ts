/** What `vedette production` says of models that are served elsewhere. Pure. */
import type { Watch } from "@vedette/protocol/watch-api";
import { show } from "./table.ts";

/** One paragraph. */
export function describeWatched(watch: Watch): string {
  const { model, version, predictions, lastAt, waiting, refused, lastRefusal, drift } = watch;
  const lines: [name: string, text: string][] = [
    [
      "watched",
      `since ${watch.since} by ${show(watch.createdBy)}, as ${version === null ? "its reference data" : `version ${version}`}`,
    ],
    [
      "answers",
      `${predictions} stored, the last at ${lastAt ?? "no time yet"}${waiting > 0 ? `; ${waiting} events under way` : ""}`,
    ],
    ["drift", describeDrift(drift)],
  ];
  if (refused > 0) lines.push(["refused", `${refused} events; the last: ${show(lastRefusal)}`]);
  const body = lines.map(([name, text]) => `  ${name.padEnd(12)}  ${text}`);
  return [`${model}, served elsewhere: ${verdict(watch)}`, ...body].join("\n");
}

function verdict({ predictions, drift }: Watch): string {
  if (predictions === 0) return "nothing came yet (vedette watch --help)";
  return drift?.verdict === "drift" ? "watched, inputs DRIFT" : "watched";
}

function describeDrift(drift: Watch["drift"]): string {
  if (drift === null) return "not judged yet: the first window is not full";
  const moved = drift.fields.filter((field) => field.verdict === "drift");
  const over = `over the last full window of ${drift.rows} rows, at ${drift.at}`;
  if (moved.length === 0) return `none seen ${over}`;
  return `${moved.map(({ name, psi }) => `${show(name)} (PSI ${psi.toFixed(2)})`).join(", ")} ${over}`;
}
