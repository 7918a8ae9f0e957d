/**
 * What the control plane asks of this device beside running models. Believed where the director signed it for this device;
 * done once, however often it comes; answered each time. `session.ts` hands commands in, `create-agent.ts` does them.
 */
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { anyCommand, type CommandOutcome, commandOutcome, eraseCommand } from "@vedette/protocol/commands";
import type { Tombstone } from "@vedette/protocol/erasure";
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { parseMessage } from "@vedette/protocol/messages";
import { openSigned, type SignedText } from "@vedette/protocol/signed";
import { z } from "zod";
import type { Ports } from "../ports.ts";
import type { LinkState } from "./link-state.ts";

const path = "commands.json";
const saved = z.object({ v: z.literal(1), done: z.array(commandOutcome) });
/** Outcomes remembered: a command expires, and the control plane asks for 16 at a time. */
const remembered = 256;

export interface Commands {
  /** Takes a signed command from wherever it came. Never rejects: what is refused is logged. */
  take(envelope: SignedText): Promise<void>;
}

export function createCommands(options: {
  agent: string;
  state: Pick<LinkState, "director" | "referenceTime">;
  ports: Pick<Ports, "crypto" | "storage" | "log">;
  /** Resolves with how many rows were erased here, when none of the entity is left. */
  erase(tombstone: Tombstone): Promise<number>;
  answer(outcome: CommandOutcome): Promise<void>;
}): Commands {
  const { agent, state, erase, answer } = options;
  const { crypto, storage, log } = options.ports;
  /** Being done now. */
  const working = new Set<string>();
  let writing: Promise<void> = Promise.resolve();

  const outcomes = async (): Promise<CommandOutcome[]> => {
    const bytes = await storage.read(path);
    if (!bytes) return [];
    const parsed = saved.safeParse(parseJson(fromUtf8(bytes)));
    // Forgotten outcomes cost no more than doing what changes nothing once more.
    if (!parsed.success) log.warn("commands.forgotten", { path });
    return parsed.success ? parsed.data.done : [];
  };
  const remember = (outcome: CommandOutcome): Promise<void> => {
    const write = writing.then(async () => {
      const done = [...(await outcomes()).filter(({ id }) => id !== outcome.id), outcome].slice(-remembered);
      await storage.write(path, utf8(JSON.stringify({ v: 1, done })));
    });
    writing = write.catch(() => undefined);
    return write;
  };

  const open = async (envelope: SignedText) => {
    if (!state.director)
      throw new VedetteError("not_ready", "no director is trusted yet: it comes with the next hello");
    const payload = await openSigned("command", envelope, state.director, crypto.verify);
    const command = parseMessage(anyCommand, payload, "the command");
    if (command.agent !== agent) {
      throw new VedetteError("wrong_device", `command ${command.id} is for ${command.agent}, and this is ${agent}`);
    }
    return { command, payload };
  };
  const perform = async (kind: string, payload: string): Promise<Omit<CommandOutcome, "id">> => {
    if (kind !== "erase")
      return { rows: 0, why: `this agent does not know the command ${kind.slice(0, 40)}: update it` };
    const { model, salt, hash, before } = parseMessage(eraseCommand, payload, "the command");
    return { rows: await erase({ model, salt, hash, before }), why: null };
  };

  const handle = async (envelope: SignedText): Promise<void> => {
    const { command, payload } = await open(envelope);
    const { id, kind, expires } = command;
    if (working.has(id)) return;
    working.add(id);
    try {
      const before = (await outcomes()).find((outcome) => outcome.id === id);
      if (before) return await answer(before);
      if (expires <= state.referenceTime()) return log.info("command.expired", { id, kind });
      const outcome = { id, ...(await perform(kind, payload)) };
      await remember(outcome);
      log.info("command.done", { id, kind, rows: outcome.rows });
      await answer(outcome);
    } finally {
      working.delete(id);
    }
  };

  return {
    async take(envelope) {
      try {
        await handle(envelope);
      } catch (error) {
        // Not answered: the control plane asks again with the next hello.
        log.warn("command.refused", { code: codeOf(error), why: messageOf(error) });
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // told by the caller as a file that does not fit
  }
}
