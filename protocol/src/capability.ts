/**
 * One rising number for what an agent understands, with its dated history. The control plane serves the current number
 * and the one before.
 *
 * 1  2026-11-23  identity feature plan, numeric inputs, cache → rules → none ladder, batch format 1
 * 2  2026-11-23  texts, raw tensors and every datatype as inputs; outputs without a task
 * 3  2026-11-23  asks a second version beside the one that answers, and tells what came of it
 * 4  2026-11-23  splits requests by entity between two versions
 */
import { z } from "zod";

export const currentCapability = 4;
/** An older agent does not see `beside` in its assignment. */
export const besideCapability = 3;
/** An older agent asks the second version beside, and lets the first one answer all. */
export const splitCapability = 4;

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
  /** Domains of operators that its lint lets through ("" is ai.onnx); older agents do not say. */
  domains: z.array(z.string().max(64)).max(16).optional(),
  /** Bytes that this machine, or the container around it, has; where the platform tells. */
  memoryBytes: z.number().positive().optional(),
});
export type AgentAbilities = z.infer<typeof agentAbilities>;

/** What a bundle requires of a device. */
export const requirements = z.object({
  capability: z.int().min(1),
  opset: z.int().min(1),
  kernelAbi: z.int().min(1),
  /** Names of `backendNames`, and of those yet to come. */
  backends: z.array(z.string()).min(1),
  /** Domains of its operators. */
  domains: z.array(z.string()).optional(),
  /** Bytes that it may take at most. */
  memoryBytes: z.number().positive().optional(),
});
export type Requirements = z.infer<typeof requirements>;

/** What a device lacks for a bundle, for people; empty where it lacks nothing. What an end does not say is not held against it. */
export function lacks(requires: Requirements, has: AgentAbilities): string[] {
  const missing: string[] = [];
  if (has.capability < requires.capability) missing.push(`capability ${requires.capability} (has ${has.capability})`);
  if (has.opset < requires.opset) missing.push(`opset ${requires.opset} (has ${has.opset})`);
  // Other kernel bits would judge drift by another yardstick: equal, not at least.
  if (has.kernelAbi !== requires.kernelAbi) missing.push(`kernel abi ${requires.kernelAbi} (has ${has.kernelAbi})`);
  if (!requires.backends.some((backend) => has.backends.includes(backend))) {
    missing.push(`backend ${requires.backends.join(" or ")} (has ${has.backends.join(", ")})`);
  }
  const foreign = has.domains && requires.domains?.filter((domain) => !has.domains?.includes(domain));
  if (foreign && foreign.length > 0) missing.push(`operators of ${foreign.join(", ")}`);
  if (has.memoryBytes !== undefined && requires.memoryBytes !== undefined && has.memoryBytes < requires.memoryBytes) {
    missing.push(`${mega(requires.memoryBytes)} of memory (has ${mega(has.memoryBytes)})`);
  }
  return missing;
}

/**
 * Why one more version cannot be in memory with others, for people; null where it can, or an end does not say.
 * @param others bytes that each of them may take at most. @param bytes that it may. @param has of the device.
 */
export function lacksMemoryFor(
  others: readonly (number | undefined)[],
  bytes: number | undefined,
  has: number | undefined,
): string | null {
  const taken = others.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  if (has === undefined || bytes === undefined || taken + bytes <= has) return null;
  return `lacks memory for both: up to ${mega(bytes)} beside ${mega(taken)} (has ${mega(has)})`;
}

const mega = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
