/** `vedette model revoke` and `model signature`: taking a version back, and checking one without Vedette. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseManifest } from "@vedette/protocol/bundle";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Command } from "commander";
import { signatureFile } from "../publish/model-signing.ts";
import { type Revoked, revokeVersion } from "../publish/revoke-version.ts";
import { sha256 } from "../sha256.ts";
import type { ApiClient } from "./api-client.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { describePending } from "./keys.ts";
import { integerFrom } from "./option-values.ts";

const version = integerFrom(1, 1_000_000_000);

interface SignatureFlags {
  name: string;
  version: number;
  out: string;
}

export function addModelTrust(model: Command, io: Io): void {
  model
    .command("revoke")
    .description("take a version and all older ones back for ever: no device serves them any more")
    .requiredOption("--name <name>", "the model")
    .requiredOption("--version <number>", "the newest version to take back", version)
    .option("--below", "only the versions older than it")
    .addHelpText(
      "after",
      "\nThe floor of the model rises in the signed targets metadata, and never falls. To go back without taking back, assign\n" +
        "an older version instead (vedette model assign).\n\n" +
        "Example:\n  $ vedette model revoke --name rain-gauge --version 3\n  $ vedette model revoke --name rain-gauge --version 4 --below",
    )
    .action(async (flags: { name: string; version: number; below?: boolean }, command: Command) => {
      const context = contextOf(command, io);
      const what = { model: flags.name, version: flags.version, below: flags.below ?? false };
      const done = await revokeVersion(what, await context.api(), await context.ring(), io.now());
      const { settled, ...answer } = done;
      const pending = settled?.outcome === "pending" ? settled : undefined;
      context.answer(
        { ...answer, ...(pending ? { file: pending.file, standing: pending.standing } : {}) },
        pending ? describePending(pending) : describe(done),
      );
    });

  model
    .command("signature")
    .description("write a version's files with their OpenSSF signature, for `model_signing verify key`")
    .requiredOption("--name <name>", "the model")
    .requiredOption("--version <number>", "the version", version)
    .requiredOption("--out <folder>", "made where it is not there")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette model signature --name rain-gauge --version 2 --out ./gauge-2\n" +
        "  $ model_signing verify key --signature gauge-2/model.sig --public_key gauge-2.pub.pem gauge-2",
    )
    .action(async (flags: SignatureFlags, command: Command) => {
      const context = contextOf(command, io);
      const written = await writeSigned(await context.api(), flags);
      context.answer(
        written,
        `Wrote ${written.files.length} files and ${written.signature}. Check them with\n` +
          `  model_signing verify key --signature ${written.signature} --public_key ${written.publicKey} ${flags.out}\n`,
      );
    });
}

/** The public key lies beside the folder: in it, it would be a file that nobody signed. */
async function writeSigned(
  api: Pick<ApiClient, "modelSignature" | "blob">,
  { name: model, version: number, out }: SignatureFlags,
) {
  const signed = await api.modelSignature(model, number);
  const manifest = parseManifest(signed.manifest);
  const signature = join(out, signatureFile);
  const publicKey = `${out.replace(/\/+$/, "")}.pub.pem`;
  const files: string[] = [];
  const put = async (path: string, bytes: Uint8Array | string) => {
    await writeFile(path, bytes).catch((cause: unknown) => {
      throw new VedetteError("storage_failed", `${path} cannot be written: ${messageOf(cause)}`, { cause });
    });
  };
  await mkdir(out, { recursive: true });
  for (const file of manifest.files) {
    const parts: Uint8Array[] = [];
    for (const chunk of file.chunks) parts.push(await api.blob(chunk.sha256));
    const bytes = Buffer.concat(parts);
    if (sha256(bytes) !== file.sha256) {
      throw new VedetteError("digest_mismatch", `the chunks of ${file.path} do not make up the file of its sha256`);
    }
    await put(join(out, file.path), bytes);
    files.push(file.path);
  }
  await put(signature, signed.bundle);
  await put(publicKey, signed.publicKey);
  return { model, version: signed.version, out, files, signature, publicKey };
}

function describe({ outcome, model, floor, revoked, left, running }: Revoked): string {
  const lines = [
    `${outcome === "unchanged" ? "Revoked before" : "Revoked"}: ${model} version${revoked.length === 1 ? "" : "s"} ${revoked.join(", ")}; the floor is ${floor}.`,
    left.length > 0
      ? `Still to be had: version${left.length === 1 ? "" : "s"} ${left.join(", ")}. Devices keep an unrevoked version they have; others: vedette model assign --name ${model} --version ${left.at(-1)} --all`
      : `No version of ${model} is left: devices answer by its fallback, or not at all. Publish one (vedette model publish; the same files again become a new version) and assign it.`,
    running.length === 0
      ? "No device last said that it has a revoked one."
      : `Last said to be on: ${running.map((one) => `${one.agent} (version ${one.version} ${one.as}${one.online ? "" : ", offline"})`).join(", ")}. They stop when they hear of it; this command again tells who has not.`,
  ];
  return `${lines.join("\n")}\n`;
}
