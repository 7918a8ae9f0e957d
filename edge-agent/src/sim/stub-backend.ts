/** A backend whose "models" are JSON: y = scale · x, or one kind of trouble. It takes the time that the clock port says. */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { Backend, Clock, Random } from "../core/ports.ts";

/** On whole numbers, which golden vectors are made of, all that load answer well; trouble comes in service. */
export const troubles = ["none", "broken", "wrong", "nan", "throw", "slow", "flaky"] as const;
export interface StubModel {
  readonly scale: number;
  /**
   * `broken` does not load; `wrong` fails its golden vectors; `nan` and `throw` fail in service; `slow` is late now and
   * then; `flaky` throws now and then.
   */
  readonly trouble: (typeof troubles)[number];
  /** Inputs from … to below … are answered with twice what is right, or with NaN. */
  readonly errs?: { readonly from: number; readonly to: number; readonly answer: "twice" | "nan" };
}

const lateMs = 200;

export function createStubBackend(clock: Clock, random: Random): Backend {
  const take = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  return {
    name: "node-cpu",
    async load(bytes) {
      const model = parseModel(bytes);
      await take(20 * random.unit());
      return {
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
        outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
        async run(inputs, outputs) {
          const x = inputs.x?.data as Float32Array;
          const serving = x.some((value) => !Number.isInteger(value));
          if (serving) await take(model.trouble === "slow" && random.unit() < 0.2 ? lateMs : 3 * random.unit());
          const throws = model.trouble === "throw" || (model.trouble === "flaky" && random.unit() < 0.2);
          if (serving && throws) throw new VedetteError("model_failed", "the model threw");
          const off = model.trouble === "wrong" ? 1 : 0;
          const scale = serving && model.trouble === "nan" ? Number.NaN : model.scale;
          const answer = (value: number) => value * scale * erring(model, value, serving) + off;
          const y = { datatype: "FP32" as const, shape: [x.length, 1], data: x.map(answer) };
          return Object.fromEntries(outputs.map((name) => [name, y]));
        },
        async release() {},
      };
    },
  };
}

function erring({ errs }: StubModel, value: number, serving: boolean): number {
  if (!errs || !serving || value < errs.from || value >= errs.to) return 1;
  return errs.answer === "nan" ? Number.NaN : 2;
}

function parseModel(bytes: Uint8Array): StubModel {
  let model: StubModel | undefined;
  try {
    model = JSON.parse(fromUtf8(bytes)) as StubModel;
  } catch (cause) {
    throw new VedetteError("invalid_model", "not a model that this runtime takes", { cause });
  }
  if (model.trouble === "broken") throw new VedetteError("invalid_model", "not a model that this runtime takes");
  return model;
}
