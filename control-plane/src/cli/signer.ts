/** `vedette signer`: a process of its own, with a key of its own, that signs what is proposed for one model. */
import { VedetteError } from "@vedette/protocol/errors";
import { modelName, sha256Hex } from "@vedette/protocol/ids";
import { ed25519PublicKey } from "@vedette/protocol/signed";
import type { Command } from "commander";
import { readKey, readPublicKey } from "../publish/offline-keys.ts";
import { createSigner } from "../signer/run-signer.ts";
import { changeSigner, setUpSigner } from "../signer/set-up-signer.ts";
import { openSignerHome, type SignerConfig } from "../signer/signer-home.ts";
import { type Context, contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { parseHolder } from "./keys.ts";
import { duration, fitting, list } from "./option-values.ts";
import { patient } from "./patient-fetch.ts";
import { runLoop, runOnce } from "./signer-run.ts";

const hexKey = fitting(ed25519PublicKey);
const hexKeys = (text: string): string[] => list(text).map(hexKey);

interface InitFlags {
  model: string;
  name?: string;
  root: string;
  gateKey: string[];
  proposer?: string[];
  anyProposer?: boolean;
  acceptOverrides?: boolean;
}
interface SetFlags {
  addGateKey?: string[];
  removeGateKey?: string[];
  addProposer?: string[];
  removeProposer?: string[];
  acceptOverrides?: boolean;
}

export function addSigner(program: Command, io: Io): void {
  const signer = program
    .command("signer")
    .description("signs versions that were proposed for a model and passed the gate, so that no operator has to");

  signer
    .command("init")
    .description("make a signer's key in --home, and note whom it believes; once")
    .requiredOption("--model <name>", "the only model that it signs for", fitting(modelName))
    .option("--name <name>", "of its key, as the metadata tell it (default: signer-<model>)", parseHolder)
    .requiredOption("--root <sha256>", "of the site's first root, as `keys init` printed it", fitting(sha256Hex))
    .requiredOption("--gate-key <keys>", "public keys of the gate, hex, as `gate key` printed them", hexKeys)
    .option("--proposer <files>", "public keys of those who may propose, as propose-pump.pub", list)
    .option("--any-proposer", "sign what anybody proposes who reaches the control plane")
    .option("--accept-overrides", "sign also what failed the gate and an operator let pass")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette signer init --home signer --model pump --root 5f0c… --gate-key 91ab… --proposer propose-pump.pub",
    )
    .action(async (flags: InitFlags, command: Command) => {
      const context = contextOf(command, io);
      if ((flags.proposer === undefined) === (flags.anyProposer === undefined)) {
        throw new VedetteError("invalid_argument", "say who may propose: --proposer <files>, or --any-proposer");
      }
      const proposers = flags.proposer ? await Promise.all(flags.proposer.map(readPublicKey)) : null;
      const { model, root: rootSha256, gateKey: gateKeys, acceptOverrides = false } = flags;
      const made = await setUpSigner(
        { model, name: flags.name ?? `signer-${model}`, rootSha256, gateKeys, proposers, acceptOverrides },
        openSignerHome(context.home),
        await context.api(patient),
        await context.ring(),
      );
      const { name, publicKey, keyid } = made.key;
      context.answer(
        { ...made.config, key: { name, publicKey, keyid, file: made.file } },
        `The signer of ${model} is set up in ${context.home}; its public half is ${made.file}.\n` +
          "Next, where the targets key lies, with that file copied there:\n" +
          `  vedette keys rotate --role project --model ${model} --add ${name}.pub\n` +
          `Then here, where it stays in the foreground:\n  vedette signer run ${context.sameFlags}\n`,
      );
    });

  signer
    .command("set")
    .description("change whom a signer believes; one that runs follows at its next look")
    .option("--add-gate-key <keys>", "after `keys rotate --role gate`, the new one", hexKeys)
    .option("--remove-gate-key <keys>", "what these signed is refused from then on", hexKeys)
    .option("--add-proposer <files>", "public keys of those who may propose, too", list)
    .option("--remove-proposer <names>", "who may propose no more, by name or public key", list)
    .option("--accept-overrides", "sign also what failed the gate and an operator let pass")
    .option("--no-accept-overrides", "sign nothing that failed the gate")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette signer set --home signer --add-gate-key 77cd… --remove-gate-key 91ab…",
    )
    .action(async (flags: SetFlags, command: Command) => {
      const context = contextOf(command, io);
      const addProposers = flags.addProposer && (await Promise.all(flags.addProposer.map(readPublicKey)));
      const changed = await changeSigner(
        {
          ...{ addGateKeys: flags.addGateKey, removeGateKeys: flags.removeGateKey, addProposers },
          ...{ removeProposers: flags.removeProposer, acceptOverrides: flags.acceptOverrides },
        },
        openSignerHome(context.home),
      );
      context.answer(changed, describeConfig(changed));
    });

  signer
    .command("run")
    .description("look again and again at what is proposed, and sign what may be signed; stays in the foreground")
    .option("--once", "look once; ends with 3 where something was refused")
    .option("--every <duration>", "look so often", duration, 15_000)
    .addHelpText(
      "after",
      "\nIt needs a token of role signer (vedette operator add signer-pump --role signer).\n\n" +
        "Example:\n  $ vedette signer run --home signer --url http://server:7700 --token-file signer.token",
    )
    .action(async ({ once, every }: { once?: boolean; every: number }, command: Command) => {
      const context = contextOf(command, io);
      const opened = await open(context, io);
      if (once) await runOnce(context, opened);
      else await runLoop(context, opened, every);
    });

  signer
    .command("status")
    .description("whom a signer believes, what it signed, and how its last look ended")
    .addHelpText("after", "\nExample:\n  $ vedette signer status --home signer")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const home = openSignerHome(context.home);
      const config = await home.config();
      const last = (await home.status()) ?? null;
      const signed = (await home.signed()).map(({ release, digest, signedAt }) => ({ release, digest, signedAt }));
      const newest = signed.at(-1);
      const said = newest ? `version ${newest.release} at ${newest.signedAt}` : "nothing yet";
      context.answer(
        { ...config, last, signed },
        `${describeConfig(config)}signed     ${said}\n` +
          `last look  ${last ? `${last.at}: ${last.outcome}${last.why === "" ? "" : `: ${last.why}`}` : "none: vedette signer run"}\n`,
      );
    });
}

/** The key is opened here once: a wrong passphrase is told at the start. */
async function open(context: Context, io: Io): Promise<Parameters<typeof runLoop>[1]> {
  const home = openSignerHome(context.home);
  const { key: name } = await home.config();
  const { folder: keys, passphrase } = await context.ring();
  const key = await readKey(keys, name, passphrase);
  const api = await context.api(patient);
  return { ...createSigner({ home, keys, key, api, now: io.now }), home, random: Math.random };
}

function describeConfig({ site, model, gateKeys, proposers, acceptOverrides }: SignerConfig): string {
  const who =
    proposers === null ? "anybody" : proposers.map(({ name, publicKey }) => `${name} ${short(publicKey)}`).join(", ");
  return (
    `signs      ${model} of site ${site}\n` +
    `gate       ${gateKeys.map(short).join(", ")}${acceptOverrides ? ", and what operators let pass" : ""}\n` +
    `proposed   by ${who}\n`
  );
}

function short(publicKey: string): string {
  return publicKey.slice(0, 8);
}
