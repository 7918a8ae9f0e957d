/**
 * The pins of each model (serving, previous, candidate, and what is asked beside) on the device's storage: one file a model,
 * replaced all or nothing. `model-keeper.ts` saves here before each step that the pins speak of.
 */
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { modelName, sha256Hex } from "@vedette/protocol/ids";
import { split } from "@vedette/protocol/split";
import { z } from "zod";
import type { Storage } from "../ports.ts";
import { readTwice, writeTwice } from "./kept-twice.ts";
import type { Pins } from "./life-cycle.ts";
import { rejectReasons } from "./reject-reason.ts";

const folder = "pins";
/** A reason that a newer agent wrote must not cost this one its pins. */
const reason = z.enum(rejectReasons).catch("internal");
const pin = z.object({
  digest: sha256Hex,
  release: z.int().min(1),
  length: z.int().min(1),
  served: z.int().min(0),
  starts: z.int().min(0).optional(),
});
const besidePin = z.object({
  digest: sha256Hex,
  release: z.int().min(1),
  length: z.int().min(1),
  state: z.enum(["fetching", "verified", "proving", "asking", "rejected"]),
  answering: sha256Hex,
  sample: z.number().gt(0).max(1),
  split: split.optional(),
  rev: z.int().min(0),
  starts: z.int().min(0),
  reason: reason.nullable(),
  why: z.string().optional(),
});
const pinsFile = z.object({
  v: z.literal(1),
  serving: pin.nullable(),
  previous: pin.nullable(),
  candidate: pin
    .extend({
      state: z.enum(["fetching", "verified", "proving", "probation", "rejected"]),
      rev: z.int().min(0),
      starts: z.int().min(0),
      reason: reason.nullable(),
      why: z.string().optional(),
    })
    .nullable(),
  /** What a newer agent wrote here must not cost this one its pins: the next assignment says it again. */
  beside: besidePin.nullable().default(null).catch(null),
  rejected: z.array(z.object({ digest: sha256Hex, rev: z.int().min(0), reason, at: z.number() })),
});

export interface PinStore {
  /** Names of the models that have pins, sorted. */
  models(): Promise<string[]>;
  /**
   * @returns undefined where the model has none.
   * @throws VedetteError storage_failed where the file is none of ours.
   */
  load(model: string): Promise<Pins | undefined>;
  /** Resolves when the pins would outlive a power failure. */
  save(model: string, pins: Pins): Promise<void>;
}

/** @param storage the device's folder; pins are `pins/{model}.json`. */
export function createPinStore(storage: Storage): PinStore {
  const path = (model: string) => `${folder}/${model}.json`;
  return {
    async models() {
      const names = await storage.list(folder);
      return names
        .map((name) => name.replace(/\.json$/, ""))
        .filter((name, i) => names[i]?.endsWith(".json") && modelName.safeParse(name).success);
    },
    async load(model) {
      try {
        return await readTwice({ storage }, path(model), (bytes) => {
          const { v: _, ...pins } = pinsFile.parse(JSON.parse(fromUtf8(bytes)));
          return pins;
        });
      } catch (cause) {
        const what = `${path(model)} on this device cannot be read (${messageOf(cause)})`;
        throw new VedetteError("storage_failed", `${what}: remove it and the model is installed again`, { cause });
      }
    },
    save: (model, pins) => writeTwice(storage, path(model), utf8(JSON.stringify({ v: 1, ...pins }))),
  };
}
