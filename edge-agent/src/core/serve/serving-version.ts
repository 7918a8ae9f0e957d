/** A version in memory, ready to answer: create-agent loads it, model-slot puts it in place, run-queue runs it. */
import type { Manifest } from "@vedette/protocol/bundle";
import type { Session } from "../ports.ts";
import type { DriftWatch } from "../watch/drift-watch.ts";

export interface ServingVersion {
  readonly digest: string;
  readonly release: number;
  readonly manifest: Manifest;
  readonly session: Session;
  readonly drift: DriftWatch | null;
}
