/** The operator's bearer token: made at the first start into a file that only its owner reads; in memory only its hash. */

import { createHash, timingSafeEqual } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { VedetteError } from "@vedette/protocol/errors";

/** Whether an `Authorization` header carries the operator's token. */
export type IsOperator = (authorization: string | undefined) => boolean;

/**
 * Reads the token file, or makes it (mode 0600).
 * @throws VedetteError storage_failed where the file holds no token of at least 32 characters.
 */
export async function openOperatorToken(path: string, randomBytes: (length: number) => Buffer): Promise<IsOperator> {
  await createOnce(path, `${randomBytes(32).toString("base64url")}\n`);
  const token = (await readFile(path, "utf8")).trim();
  if (token.length < 32) {
    throw new VedetteError(
      "storage_failed",
      `${path} holds no operator token: delete it, and the next start makes one`,
    );
  }
  const wanted = sha256(token);
  return (authorization = "") => {
    const [, sent] = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization) ?? [];
    // Hashes are of equal length, so the comparison takes equally long whatever was sent.
    return timingSafeEqual(sha256(sent ?? ""), wanted);
  };
}

async function createOnce(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
