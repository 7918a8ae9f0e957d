/** `vedette rollout watch` and `replay`: a rollout while it goes on, and what another policy would have made of it. */
import { type Command, Option } from "commander";
import { printable } from "../printable.ts";
import { contextOf } from "./context.ts";
import { Finding } from "./finding.ts";
import type { Io } from "./io.ts";
import { followUntilOver } from "./live-view.ts";
import { duration, integerFrom } from "./option-values.ts";
import { policyFile } from "./rollout-policy.ts";
import { describeReplay, describeRollout, rolloutLine } from "./rollout-text.ts";

const number = integerFrom(1, Number.MAX_SAFE_INTEGER);
/** That `watch --fail` ends with where it was not promoted. */
const notPromoted = 3;

export function addRolloutWatch(rollout: Command, io: Io): void {
  rollout
    .command("watch")
    .description("a rollout live, until it is over: stages, cohorts, the growing evidence; --json: a line each change")
    .argument("<id>", "its number in the list", number)
    .addOption(new Option("--every <duration>", "look so often").argParser(duration).default(2000, "2s"))
    .option("--fail", `end with ${notPromoted} where it is rolled back or aborted`)
    .addHelpText("after", "\nExample:\n  $ vedette rollout watch 7")
    .action(async (id: number, { every, fail }: { every: number; fail?: boolean }, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const look = () => api.rollout(id);
      const last = await followUntilOver(io, context.json, every, {
        look,
        whole: describeRollout,
        line: (now) => printable(rolloutLine(now)),
      });
      if (fail && last.endedAt !== null && last.state !== "promoted") {
        throw new Finding(notPromoted, `rollout ${id} is ${last.state}`);
      }
    });
}

export function addRolloutReplay(rollout: Command, io: Io): void {
  rollout
    .command("replay")
    .description("what another policy would have done with what happened, and when")
    .argument("<id>", "its number in the list", number)
    .requiredOption("--policy <file>", "the other policy, JSON")
    .addHelpText("after", "\nExample:\n  $ vedette rollout replay 7 --policy stricter.json")
    .action(async (id: number, { policy }: { policy: string }, command: Command) => {
      const context = contextOf(command, io);
      const read = await policyFile(policy);
      const answer = await (await context.api()).replayRollout(id, { policy: read });
      context.answer(answer, describeReplay(answer));
    });
}
