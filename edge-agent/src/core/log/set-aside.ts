/** Moves files of a spool that nothing can be made of to `rejected/`, where a person finds them. */
import type { Ports } from "../ports.ts";

/** @throws VedetteError storage_failed. */
export async function setAside(
  folder: string,
  { storage, log }: Pick<Ports, "storage" | "log">,
  which: (name: string) => boolean,
): Promise<void> {
  for (const name of (await storage.list(folder)).filter(which)) {
    const bytes = await storage.read(`${folder}/${name}`);
    if (bytes && bytes.length > 0) {
      const kept = `${folder}/rejected/${name}`;
      await storage.write(kept, bytes);
      log.error("spool_rows_set_aside", { file: `${folder}/${name}`, bytes: bytes.length, kept });
    }
    await storage.remove(`${folder}/${name}`);
  }
}
