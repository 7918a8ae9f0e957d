/** From what a request asks with to the graph's input tensors, as a version's manifest says. */
import type { Manifest } from "@vedette/protocol/bundle";
import { type Feeder, feederOfGraph, fixedBatchOf } from "@vedette/protocol/feeds";

/** How many rows the graph takes at once: a number where its batch dimension is fixed, else null. */
export function fixedBatch(manifest: Manifest): number | null {
  return fixedBatchOf(manifest.runtime.inputs);
}

/** The feeder of a version, worked out once. @throws VedetteError invalid_manifest where a field points outside its tensor. */
export function feederOf(manifest: Manifest): Feeder {
  return feederOfGraph(manifest.runtime.inputs, manifest.input.fields);
}
