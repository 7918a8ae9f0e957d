/** `vedette operator`: who may ask what of the control plane, each with a token of their own. */
import { type OperatorRole, operatorName, operatorRoles } from "@vedette/protocol/api";
import { type Command, Option } from "commander";
import { writeWhole } from "../durable-file.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { fitting } from "./option-values.ts";
import { table } from "./table.ts";

const roleHelp =
  "ingest hands in predictions of watched models, and nothing else; viewer reads; signer also says what its signer signed or refused; operator also publishes, assigns, enrols and revokes; admin also keeps operators and online keys";

export function addOperator(program: Command, io: Io): void {
  const operator = program.command("operator").description("who may ask what of the control plane");

  operator
    .command("add")
    .description("add an operator; prints their token, once")
    .argument("<name>", "as the audit will tell it", fitting(operatorName))
    .addOption(new Option("--role <role>", roleHelp).choices(operatorRoles).makeOptionMandatory())
    .addHelpText("after", "\nExample:\n  $ vedette operator add ada --role operator > ada.token")
    .action(async (name: string, { role }: { role: OperatorRole }, command: Command) => {
      const context = contextOf(command, io);
      const made = await (await context.api()).addOperator({ name, role });
      if (!context.json) io.stderr(`${name} is ${role}. The token is shown this once.\n`);
      context.answer(made, `${made.token}\n`);
    });

  operator
    .command("list")
    .description("all operators")
    .addHelpText("after", "\nExample:\n  $ vedette operator list")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const operators = await (await context.api()).operators();
      const rows = operators.map((one) => [
        one.name,
        one.role,
        one.state,
        one.createdBy,
        one.createdAt,
        one.tokenChangedAt,
      ]);
      context.answer({ operators }, table(["operator", "role", "state", "added by", "added", "token of"], rows));
    });

  operator
    .command("remove")
    .description("remove an operator; the name stays theirs in the audit")
    .argument("<name>", "who", fitting(operatorName))
    .addHelpText("after", "\nExample:\n  $ vedette operator remove ada")
    .action(async (name: string, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      await (await context.api()).removeOperator(name);
      context.answer({ name, removed: true }, `${name} is removed; their token holds no more.\n`);
    });

  operator
    .command("whoami")
    .description("whose token this is")
    .addHelpText("after", "\nExample:\n  $ vedette operator whoami")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).whoami();
      context.answer(answer, `${answer.name}, ${answer.role}\n`);
    });

  const token = operator.command("token").description("an operator's token: replace it, or take it away");
  token
    .command("rotate")
    .description("a new token in place of the old one; without a name, of the token in use, in its file")
    .argument("[name]", "whose (needs an admin)", fitting(operatorName))
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette operator token rotate              # your own\n  $ vedette operator token rotate ada > ada.token",
    )
    .action(async (name: string | undefined, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      if (name !== undefined && name !== (await api.whoami()).name) {
        const made = await api.rotateToken(name);
        if (!context.json) io.stderr(`The token that ${name} had holds no more.\n`);
        return context.answer(made, `${made.token}\n`);
      }
      const made = await api.rotateOwnToken();
      const file = context.tokenFile;
      if (file === undefined) return context.answer(made, `${made.token}\n`);
      await writeWhole(file, `${made.token}\n`);
      const { name: own, role } = made;
      return context.answer(
        { name: own, role, file },
        `The new token of ${own} is in ${file}; the old one holds no more.\n`,
      );
    });
  token
    .command("revoke")
    .description("take an operator's token away; `token rotate` gives another")
    .argument("<name>", "whose", fitting(operatorName))
    .addHelpText("after", "\nExample:\n  $ vedette operator token revoke ada")
    .action(async (name: string, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      await (await context.api()).revokeOperatorToken(name);
      context.answer({ name, revoked: true }, `The token of ${name} holds no more.\n`);
    });
}
