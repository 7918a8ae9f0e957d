/** The inbox thread: unpacking and fsync happen here, so that the broker's thread never waits for a disk. */
import { workerData } from "node:worker_threads";
import { z } from "zod";
import { defaultInboxLimits, type InboxFrame, openInbox } from "./inbox.ts";
import { serveCalls } from "./worker-thread.ts";

const data = z
  .object({
    path: z.string(),
    limits: z.object({ waiting: z.number(), pauseMs: z.number(), refusedKept: z.number() }).default(defaultInboxLimits),
  })
  .parse(workerData);
const inbox = openInbox(data.path, data.limits);

type HeldStream = Parameters<typeof inbox.stored>[1][number];

const calls = {
  take: ({ frames, received }: { frames: InboxFrame[]; received: number }) => inbox.take(frames, received),
  stored: ({ agent, streams, received }: { agent: string; streams: HeldStream[]; received: number }) =>
    inbox.stored(agent, streams, received),
  missing: () => inbox.missing(),
  account: () => inbox.account(),
  close: () => inbox.close(),
};
export type InboxCalls = typeof calls;

serveCalls(calls);
