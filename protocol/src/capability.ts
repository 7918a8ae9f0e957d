/**
 * One rising number for what an agent understands, with its dated history. The control plane serves the current number
 * and the one before.
 *
 * 1  2026-11-23  identity feature plan, numeric inputs, cache → rules → none ladder, batch format 1
 */
import { z } from "zod";

export const currentCapability = 1;

export const agentAbilities = z.object({
  capability: z.int().min(1),
  /** The agent's own version. */
  agent: z.string().max(64),
  runtime: z.string().max(128),
  /** Highest ONNX opset the runtime takes. */
  opset: z.int().min(1),
  kernelAbi: z.int().min(1),
  backends: z.array(z.enum(["node-cpu", "wasm"])).min(1),
});
export type AgentAbilities = z.infer<typeof agentAbilities>;
