/** `vedette rollout watch` and `replay`: a rollout while it goes on, and what another policy would have made of it. */
import type { RolloutInDetail } from "@vedette/protocol/rollouts-api";
import type { Command } from "commander";
import { jsonLine, printable } from "../printable.ts";
import { contextOf } from "./context.ts";
import { Finding } from "./finding.ts";
import type { Io } from "./io.ts";
import { duration, integerFrom } from "./option-values.ts";
import { policyFile } from "./rollout-policy.ts";
import { describeReplay, describeRollout } from "./rollout-text.ts";

const number = integerFrom(1, Number.MAX_SAFE_INTEGER);
/** That `watch --fail` ends with where it was not promoted. */
const notPromoted = 3;

export function addRolloutWatch(rollout: Command, io: Io): void {
  rollout
    .command("watch")
    .description("a rollout live, until it is over: stages, cohorts, the growing evidence; --json: a line each change")
    .argument("<id>", "its number in the list", number)
    .option("--every <duration>", "look so often", duration, 2000)
    .option("--fail", `end with ${notPromoted} where it is rolled back or aborted`)
    .addHelpText("after", "\nExample:\n  $ vedette rollout watch 7")
    .action(async (id: number, { every, fail }: { every: number; fail?: boolean }, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const show = context.json ? lines(io, jsonLine) : io.screen ? screen(io) : lines(io, line);
      let stopped = false;
      const stop = io.interrupted().then(() => {
        stopped = true;
      });
      for (;;) {
        const now = await api.rollout(id);
        show(now);
        if (now.endedAt !== null) {
          if (fail && now.state !== "promoted") throw new Finding(notPromoted, `rollout ${id} is ${now.state}`);
          return;
        }
        await Promise.race([io.pause(every), stop]);
        if (stopped) return;
      }
    });
}

/** Draws over what it drew before. */
function screen(io: Io): (rollout: RolloutInDetail) => void {
  let drawn = 0;
  return (rollout) => {
    const text = printable(describeRollout(rollout));
    const up = drawn === 0 ? "" : `\u001b[${drawn}A\u001b[J`;
    io.stdout(`${up}${text}`);
    drawn = text.split("\n").length - 1;
  };
}

/** A line where it says something new. */
function lines(io: Io, say: (rollout: RolloutInDetail) => string): (rollout: RolloutInDetail) => void {
  let before = "";
  return (rollout) => {
    const text = say(rollout);
    if (text !== before) io.stdout(`${text}\n`);
    before = text;
  };
}

function line({ id, model, version, state, why, members }: RolloutInDetail): string {
  const counted = members.filter((member) => member.state === "counted").length;
  const text = `rollout ${id} ${model} version ${version}: ${state}, ${counted} of ${members.length} devices count: ${why}`;
  return printable(text.replaceAll("\n", " "));
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
