/** A drift report onto the operator's disk. */
import { writeFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { DriftDocument } from "../monitoring/drift-report/drift-document.ts";
import type { Io } from "./io.ts";

/** Writes the page, and says where, beside the answer. @throws VedetteError invalid_argument where it cannot be written. */
export async function writePage(file: string, document: DriftDocument, io: Io): Promise<void> {
  const { renderDriftPage } = await import("../monitoring/drift-report/render-page.ts");
  const page = await renderDriftPage(document);
  try {
    await writeFile(file, page);
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--html ${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
  io.stderr(`Report: ${file}\n`);
}
