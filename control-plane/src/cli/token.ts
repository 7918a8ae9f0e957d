/** `vedette token`: the enrolment tokens that were handed out, by their ids; `device enroll` makes them. */
import { tokenId } from "@vedette/protocol/api";
import { type Command, InvalidArgumentError } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

export function addToken(program: Command, io: Io): void {
  const token = program.command("token").description("enrolment tokens that were handed out");

  token
    .command("list")
    .description("all of them by id, and the devices that joined by each")
    .addHelpText("after", "\nExample:\n  $ vedette token list")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const tokens = await (await context.api()).tokens();
      const rows = tokens.map((one) => [
        one.id,
        one.state,
        `${one.used} of ${one.uses}`,
        one.createdBy,
        one.createdAt,
        one.expiresAt,
        one.devices.join(" ") || null,
      ]);
      const columns = ["token", "state", "used", "made by", "made", "expires", "devices"];
      context.answer(
        { tokens },
        rows.length === 0 ? "No tokens yet: vedette device enroll --help\n" : table(columns, rows),
      );
    });

  token
    .command("revoke")
    .description("end a token's use, as when it was stolen; names the devices that joined by it")
    .argument("<id>", "as `vedette token list` shows it", parseId)
    .addHelpText("after", "\nExample:\n  $ vedette token revoke 3f2a90c41b7e")
    .action(async (id: string, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).revokeToken(id);
      const joined =
        answer.devices.length === 0
          ? "No device joined by it.\n"
          : `Joined by it: ${answer.devices.join(", ")}. Those you do not know: vedette device revoke <device> --reason "stolen token"\n`;
      context.answer(answer, `Token ${id} ${answer.revoked ? "is revoked" : "was revoked before"}. ${joined}`);
    });
}

function parseId(text: string): string {
  if (tokenId.safeParse(text).success) return text;
  throw new InvalidArgumentError("Write the 12 digits that `vedette token list` shows, never the token itself.");
}
