/** Closing many things: one that fails keeps none of the others open. */
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";

/**
 * Takes the steps in order, each whatever became of those before it.
 * @param what is being closed, as a person would call it.
 * @throws what the only failed step threw, or one VedetteError that tells of all of them, with the code of the first.
 */
export async function closeAll(what: string, steps: readonly (() => unknown)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  if (failures.length === 1) throw failures[0];
  const why = failures.map(messageOf).join("; ");
  throw new VedetteError(codeOf(failures[0]), `${what} did not close cleanly: ${why}`, {
    cause: new AggregateError(failures),
  });
}
