/** Whom the audit names where nobody asked: no operator is called so, and what these began is known by it. */

/** The control plane itself. */
export const controlPlane = "control-plane";
/** Rollouts of what a signer released (release/hands-free). */
export const handsFree = "hands-free";

export const machineActors: readonly string[] = [controlPlane, handsFree];
