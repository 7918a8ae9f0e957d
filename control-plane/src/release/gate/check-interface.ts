/** Whether today's requests would be answered by the new version too: what clients see of it, beside the champion's. Pure. */
import type { Manifest, OutputSchema } from "@vedette/protocol/bundle";
import type { GateCheck } from "@vedette/protocol/gate-api";
import { servedOutputs } from "@vedette/protocol/served-outputs";
import type { TensorSpec } from "@vedette/protocol/tensors";
import { failed, passed, unmeasured } from "./checks.ts";

/** @param champion the manifest of the version that clients are used to; undefined where no device runs another. */
export function checkInterface(
  candidate: Manifest,
  champion: { readonly version: number; readonly manifest: Manifest } | undefined,
): GateCheck {
  const name = "interface";
  if (!champion) return unmeasured(name, "no device runs another version, so no client is used to one");
  const { version, manifest } = champion;
  const changes = [
    ...inputsGone(manifest.input.tensors, candidate.input.tensors),
    ...moreAsked(manifest, candidate),
    ...columnsMoved(manifest, candidate),
    ...outputsGone(servedOutputs(manifest.output), servedOutputs(candidate.output)),
    ...answersChanged(manifest.output, candidate.output),
  ];
  if (changes.length === 0)
    return passed(name, `what version ${version} is asked with and answers, it takes and answers`);
  const what = changes.slice(0, 5).join("; ");
  const advice = "export it with the names, shapes and classes of before, or change the clients first and override";
  return failed(name, `clients of version ${version} would be refused or find other answers: ${what}: ${advice}`);
}

function inputsGone(before: readonly TensorSpec[], now: readonly TensorSpec[]): string[] {
  return before.flatMap((was) => {
    const found = now.find(({ name }) => name === was.name);
    if (!found) return `no input ${was.name} (it has ${namesOf(now)})`;
    if (found.datatype !== was.datatype) return `input ${was.name} is ${found.datatype}, was ${was.datatype}`;
    // Rows are fed as many at a time as the graph takes, so the first size is nobody's concern; any other may be let go.
    const fits = (size: number, i: number) => i === 0 || size < 0 || size === was.shape[i];
    if (found.shape.length === was.shape.length && found.shape.every(fits)) return [];
    return `input ${was.name} has shape [${found.shape.join(", ")}], was [${was.shape.join(", ")}]`;
  });
}

function namesOf(tensors: readonly TensorSpec[]): string {
  const names = tensors.slice(0, 4).map(({ name }) => name);
  return tensors.length > 4 ? `${names.join(", ")} and ${tensors.length - 4} more` : names.join(", ");
}

/** Further outputs hurt nobody. */
function outputsGone(before: readonly TensorSpec[], now: readonly TensorSpec[]): string[] {
  return before.flatMap((was) => {
    const found = now.find(({ name }) => name === was.name);
    if (!found) return `no output ${was.name} (it has ${namesOf(now)})`;
    return found.datatype === was.datatype ? [] : `output ${was.name} is ${found.datatype}, was ${was.datatype}`;
  });
}

/** Scores are read by their place and labels by their word: either may be another under the same names of tensors. */
function answersChanged(before: OutputSchema, now: OutputSchema): string[] {
  if (before.task !== now.task) return [`it is a ${now.task} model, was a ${before.task} model`];
  if (before.task !== "classification" || now.task !== "classification") return [];
  const [were, are] = [before.classes, now.classes];
  const gone = were.filter((name) => !are.includes(name));
  const come = are.filter((name) => !were.includes(name));
  if (gone.length > 0 || come.length > 0) {
    const told = [
      ...(gone.length > 0 ? [`it never answers ${quoted(gone)} any more`] : []),
      ...(come.length > 0 ? [`it answers ${quoted(come)}, which no client knows`] : []),
    ];
    return [
      `other classes: ${told.join(", and ")} (classes are named by model publish --classes, the graph, or the label column)`,
    ];
  }
  const moved = were.findIndex((name, place) => are[place] !== name);
  if (moved < 0) return [];
  const place = are.indexOf(were[moved] as string);
  return [
    `classes in another order: score ${place + 1} is of "${were[moved]}", was score ${moved + 1} (${quoted(are)}, was ${quoted(were)})`,
  ];
}

function quoted(names: readonly string[]): string {
  const first = names.slice(0, 4).map((name) => `"${name}"`);
  return `${first.join(", ")}${names.length > 4 ? ` and ${names.length - 4} more` : ""}`;
}

/** Who sends whole tensors is not refused then, and answered from other columns than was meant. */
function columnsMoved(before: Manifest, now: Manifest): string[] {
  const placeOf = (field: Manifest["input"]["fields"][number]) =>
    field.kind === "summary" ? field.tensor : `column ${field.column} of ${field.tensor}`;
  const places = new Map(now.input.fields.map((field) => [field.name, placeOf(field)]));
  return before.input.fields.flatMap((field) => {
    const [was, is] = [placeOf(field), places.get(field.name)];
    return is === undefined || is === was ? [] : `${field.name} is ${is}, was ${was}`;
  });
}

/** Tensors, or columns of named rows, that nobody sends yet. */
function moreAsked(before: Manifest, now: Manifest): string[] {
  const tensors = new Set(before.input.tensors.map(({ name }) => name));
  const fields = new Set(before.input.fields.map(({ name }) => name));
  return [
    ...now.input.tensors.filter(({ name }) => !tensors.has(name)).map(({ name }) => `it wants an input ${name}`),
    ...now.input.fields
      .filter(({ name, required }) => required && !fields.has(name))
      .map(({ name }) => `it wants a column ${name}`),
  ];
}
