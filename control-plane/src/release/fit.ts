/** Whether a device can run a version: what the bundle requires against what the device's hello said it has. */
import type { Manifest } from "@vedette/protocol/bundle";
import type { AgentAbilities } from "@vedette/protocol/capability";

/** What the device lacks, for people; empty where it lacks nothing. */
export function lacks(requires: Manifest["requires"], has: AgentAbilities): string[] {
  const missing: string[] = [];
  if (has.capability < requires.capability) missing.push(`capability ${requires.capability} (has ${has.capability})`);
  if (has.opset < requires.opset) missing.push(`opset ${requires.opset} (has ${has.opset})`);
  // Other kernel bits would judge drift by another yardstick: equal, not at least.
  if (has.kernelAbi !== requires.kernelAbi) missing.push(`kernel abi ${requires.kernelAbi} (has ${has.kernelAbi})`);
  if (!requires.backends.some((backend) => has.backends.includes(backend))) {
    missing.push(`backend ${requires.backends.join(" or ")} (has ${has.backends.join(", ")})`);
  }
  return missing;
}
