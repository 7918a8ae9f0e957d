/** What has been run so far, a JSON line for each stream and detector: a run that was stopped goes on where it was. */
import { appendFile, mkdir, readFile, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import type { Records } from "./detector.ts";

interface Line {
  readonly cell: string;
  readonly stream: number;
  readonly detector: string;
  readonly change: number | null;
  readonly records: Records;
}

export class RecordsFile {
  readonly #path: string;
  readonly #lines = new Map<string, Line>();

  private constructor(path: string) {
    this.#path = path;
  }

  /** A last line that a stop cut short is run again. */
  static async open(path: string): Promise<RecordsFile> {
    const file = new RecordsFile(path);
    await mkdir(dirname(path), { recursive: true });
    const content = await contentOf(path);
    const whole = content.lastIndexOf("\n") + 1;
    if (whole < content.length) await truncate(path, Buffer.byteLength(content.slice(0, whole)));
    for (const text of content.slice(0, whole).split("\n").slice(0, -1)) {
      const line = JSON.parse(text) as Line;
      file.#lines.set(keyOf(line), line);
    }
    return file;
  }

  has(cell: string, stream: number, detector: string): boolean {
    return this.#lines.has(keyOf({ cell, stream, detector }));
  }

  async add(line: Line): Promise<void> {
    await appendFile(this.#path, `${JSON.stringify(line)}\n`);
    this.#lines.set(keyOf(line), line);
  }

  /** Of one cell, by detector, in the order of the streams. */
  ofCell(cell: string): ReadonlyMap<string, readonly Line[]> {
    const found = new Map<string, Line[]>();
    for (const line of this.#lines.values()) {
      if (line.cell !== cell) continue;
      const lines = found.get(line.detector) ?? [];
      found.set(line.detector, lines);
      lines.push(line);
    }
    for (const lines of found.values()) lines.sort((a, b) => a.stream - b.stream);
    return found;
  }
}

const keyOf = ({ cell, stream, detector }: Pick<Line, "cell" | "stream" | "detector">): string =>
  JSON.stringify([cell, detector, stream]);

async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
