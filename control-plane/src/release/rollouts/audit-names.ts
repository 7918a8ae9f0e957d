/** How the audit names rollouts, and who decides on them without an operator: for those who write entries, and who read them. */

/** The actor of what the engine decides. */
export const machine = "control-plane";

/** The subject of a rollout's entries. */
export function subjectOf(id: number): string {
  return `rollout-${id}`;
}
