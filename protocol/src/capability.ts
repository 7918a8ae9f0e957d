/**
 * One rising number for what an agent understands, with its dated history. The control plane serves the current number
 * and the one before.
 *
 * 1  2026-11-23  identity feature plan, numeric inputs, cache → rules → none ladder, batch format 1
 * 2  2026-11-23  texts, raw tensors and every datatype as inputs; outputs without a task
 */
import { z } from "zod";

export const currentCapability = 2;

/** Runtimes of today. Lists on the wire take any name, so that an older end can read a newer one. */
export const backendNames = ["node-cpu", "wasm"] as const;
export type BackendName = (typeof backendNames)[number];

export const agentAbilities = z.object({
  capability: z.int().min(1),
  /** The agent's own version. */
  agent: z.string().max(64),
  runtime: z.string().max(128),
  /** Highest ONNX opset the runtime takes. */
  opset: z.int().min(1),
  kernelAbi: z.int().min(1),
  /** Names of `backendNames`, and of those yet to come. */
  backends: z.array(z.string().max(32)).min(1).max(16),
});
export type AgentAbilities = z.infer<typeof agentAbilities>;
