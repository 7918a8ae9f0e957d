/**
 * What devices are asked to do beside running models. A command is signed by the director when it is sent, at once to
 * who is connected and with each answer to a hello until the device has answered it.
 */
import type { CommandOutcome, EraseCommand } from "@vedette/protocol/commands";
import { type SignedText, signedBytes } from "@vedette/protocol/signed";
import type { Logger, Records } from "../ports.ts";
import type { SigningKey } from "../release/online-keys.ts";

export interface Commands {
  /** What a device has still to do, signed. */
  pending(agent: string): Promise<SignedText[]>;
  done(agent: string, outcome: CommandOutcome): Promise<void>;
}

export function createCommands(ports: {
  records: Pick<Records, "commandsFor" | "commandDone">;
  /** The director's key of the moment: it may be rotated. */
  key: () => SigningKey;
  logger: Logger;
}): Commands {
  const { records, key, logger } = ports;
  return {
    async pending(agent) {
      return (await records.commandsFor(agent)).map((command) => sign(command, key()));
    },
    async done(agent, outcome) {
      await records.commandDone(agent, outcome);
      logger.info("command.done", { agent, id: outcome.id, rows: outcome.rows, failed: outcome.why !== null });
    },
  };
}

function sign(command: EraseCommand, key: SigningKey): SignedText {
  const payload = JSON.stringify(command);
  return { payload, signatures: [{ keyid: key.keyid, sig: key.sign(signedBytes("command", payload)) }] };
}
