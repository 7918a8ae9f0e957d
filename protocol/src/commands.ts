/**
 * What the control plane asks of one device, beside running models: signed by the director (type `command`), sent on …/cmd
 * and again with each answer to a hello until it is done or has expired, so that a device does it once however often it
 * comes; answered on …/out.
 */
import { z } from "zod";
import { agentId, modelName, sha256Hex } from "./ids.ts";

/** 8 bytes of hex. */
const commandId = z.string().regex(/^[0-9a-f]{16}$/);

/** Forget an entity: in batches that are not sent yet, and in caches of answers. See erasure.ts. */
export const eraseCommand = z.object({
  id: commandId,
  kind: z.literal("erase"),
  agent: agentId,
  /** UTC ms: not to be done from then on. */
  expires: z.int(),
  /** Null: of every model. */
  model: modelName.nullable(),
  salt: sha256Hex,
  hash: sha256Hex,
  before: z.int(),
});
export type EraseCommand = z.infer<typeof eraseCommand>;

/** What every command has, whatever its kind: a device says that it does not know one. */
export const anyCommand = z.looseObject({ id: commandId, kind: z.string(), agent: agentId, expires: z.int() });

/** …/out. `rows`: how many were erased here; `why`: where it could not be done. */
export const commandOutcome = z.object({
  id: commandId,
  rows: z.int().min(0),
  why: z.string().max(300).nullable(),
});
export type CommandOutcome = z.infer<typeof commandOutcome>;
