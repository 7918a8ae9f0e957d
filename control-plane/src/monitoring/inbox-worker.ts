/** The inbox thread: unpacking and fsync happen here, so that the broker's thread never waits for a disk. */
import { workerData } from "node:worker_threads";
import { z } from "zod";
import { erasureList } from "./erasure-list.ts";
import { defaultInboxLimits, type InboxFrame, openInbox } from "./inbox.ts";
import { openTables } from "./inbox-tables.ts";
import { serveCalls } from "./worker-thread.ts";

const data = z
  .object({
    path: z.string(),
    limits: z.object({ waiting: z.number(), pauseMs: z.number(), refusedKept: z.number() }).default(defaultInboxLimits),
  })
  .parse(workerData);
const inbox = openInbox(data.path, data.limits);
const db = openTables(data.path);
const erasures = erasureList(db);

type HeldStream = Parameters<typeof inbox.stored>[1][number];

const calls = {
  take: ({ frames, received }: { frames: InboxFrame[]; received: number }) => inbox.take(frames, received),
  stored: ({ agent, streams, received }: { agent: string; streams: HeldStream[]; received: number }) =>
    inbox.stored(agent, streams, received),
  missing: () => inbox.missing(),
  missingByReason: () => inbox.missingByReason(),
  withheld: () => inbox.withheld(),
  account: () => inbox.account(),
  erasures: () => erasures.all(),
  pendingErasures: ({ agent, now }: { agent: string; now: number }) => erasures.pending(agent, now),
  erasureFinished: (outcome: Parameters<typeof erasures.finished>[0]) => erasures.finished(outcome),
  close() {
    inbox.close();
    db.close();
  },
};
export type InboxCalls = typeof calls;

serveCalls(calls);
