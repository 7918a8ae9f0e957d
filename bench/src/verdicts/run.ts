/** Runs detectors on streams and keeps what they recorded: cell by cell, stream by stream, nothing twice. */
import { type Cell, streamOf, usualM } from "./cells.ts";
import type { Detector } from "./detector.ts";
import type { RecordsFile } from "./records-file.ts";

export interface RunOptions {
  readonly cells: readonly Cell[];
  readonly detectors: readonly Detector[];
  /** Of each cell. */
  readonly streams: number;
  readonly file: RecordsFile;
  /** Rows of a stream. */
  readonly length?: number;
  /** Told before each stream that is run. */
  progress?(cell: Cell, stream: number): void;
}

export async function runCells({ cells, detectors, streams, file, length, progress }: RunOptions): Promise<void> {
  for (const cell of cells) {
    const able = detectors.filter((detector) => detector.usesReference || isUsualReference(cell));
    for (let number = 0; number < streams; number++) {
      const missing = able.filter(({ name }) => !file.has(cell.name, number, name));
      if (missing.length === 0) continue;
      progress?.(cell, number);
      const stream = streamOf(cell, number, length);
      for (const detector of missing) {
        const records = await detector.run(stream);
        await file.add({ cell: cell.name, stream: number, detector: detector.name, change: stream.change, records });
      }
    }
  }
}

/** Detectors that know no reference see the same rows whatever its size: once is enough. */
function isUsualReference(cell: Cell): boolean {
  return cell.m === usualM;
}
