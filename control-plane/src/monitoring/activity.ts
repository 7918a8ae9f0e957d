/** Counts what passes between rooms, for GET /metrics: compose.ts puts it between broker and ingestion, broker and fleet. */
import type { Fleet, Ingestion } from "../ports.ts";

export interface Activity {
  /** Frames that came, and their bytes. */
  batches: number;
  batchBytes: number;
  /** What they were answered with: stored, refused for good, asked to wait, or failed here. */
  readonly answers: { stored: number; refused: number; paused: number; failed: number };
  reports: number;
  /** HTTP answers by the first digit of their status. */
  readonly http: Record<string, number>;
}

export function createActivity(): Activity {
  return {
    batches: 0,
    batchBytes: 0,
    answers: { stored: 0, refused: 0, paused: 0, failed: 0 },
    reports: 0,
    http: {},
  };
}

/** The same ingestion, counted. */
export function countIngestion(ingestion: Ingestion, activity: Activity): Ingestion {
  return {
    ...ingestion,
    async take(agent, stream, frame) {
      activity.batches++;
      activity.batchBytes += frame.length;
      try {
        const ack = await ingestion.take(agent, stream, frame);
        activity.answers["pause" in ack ? "paused" : "reject" in ack ? "refused" : "stored"]++;
        return ack;
      } catch (error) {
        activity.answers.failed++;
        throw error;
      }
    },
  };
}

/** The same fleet, its reports counted. */
export function countReports(fleet: Fleet, activity: Activity): Fleet {
  return {
    ...fleet,
    reported(agent, report) {
      activity.reports++;
      return fleet.reported(agent, report);
    },
  };
}
