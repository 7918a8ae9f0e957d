/**
 * The conversation with the control plane. After each connection: subscribe, say who is here, and say hello (`hello.ts`) until
 * it succeeds; anew at each hint. Upward: what runs here, on change and every so often. `create-agent.ts` owns it; what an
 * assignment means is the model keepers' business.
 */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { type DriftAck, driftAck } from "@vedette/protocol/drift";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import {
  type Ack,
  ack,
  controlPlaneBirth,
  desired,
  type Heartbeat,
  parseMessage,
  type Reported,
} from "@vedette/protocol/messages";
import { type ShadowAck, shadowAck } from "@vedette/protocol/shadow";
import { signedText } from "@vedette/protocol/signed";
import type { topics } from "@vedette/protocol/topics";
import type { Ports } from "../ports.ts";
import { createRetry, createTimer } from "../timing.ts";
import { createHello, type HelloOptions } from "./hello.ts";
import type { Inbox } from "./inbox.ts";
import type { SignedTransport } from "./signed-transport.ts";

export interface SessionTimes {
  /** A new incarnation of the control plane is greeted after up to this long, so that a fleet does not come at once. ms. */
  readonly helloJitterMs: number;
  /** Between looks whether there is something new to report, as counters. ms. */
  readonly reportEveryMs: number;
  /** Between heartbeats. ms. */
  readonly heartbeatEveryMs: number;
  /** A report that says nothing new is sent again after this long. ms. */
  readonly repeatEveryMs: number;
  /** Changes within this time go in one report. ms. */
  readonly reportDebounceMs: number;
  /** A failed hello is tried again after `retryMs` doubled up to `retryCapMs`, with jitter. */
  readonly retryMs: number;
  readonly retryCapMs: number;
}
const sessionTimes: SessionTimes = {
  helloJitterMs: 30_000,
  reportEveryMs: 30_000,
  heartbeatEveryMs: 60_000,
  repeatEveryMs: 3_600_000,
  reportDebounceMs: 250,
  retryMs: 1_000,
  retryCapMs: 300_000,
};

const goodbyeMs = 2_000;

export interface SessionOptions extends HelloOptions {
  readonly ports: HelloOptions["ports"] & Pick<Ports, "clock"> & { readonly transport: SignedTransport };
  readonly topic: ReturnType<typeof topics>;
  readonly inbox: Inbox;
  readonly times?: Partial<SessionTimes>;
  report(): Reported;
  spoolBatches(): number;
  acked(stream: string, ack: Ack): void;
  /** What became of a drift window. */
  driftAcked(ack: DriftAck): void;
  /** Whether anything is asked beside the answers, or waits to be told: only then is …/sack listened to. */
  asksBeside(): boolean;
  /** What became of a shadow's parcel. */
  shadowAcked(ack: ShadowAck): void;
  /** After subscribing; and after the loss. */
  connected(): void;
  disconnected(): void;
}

export interface Session {
  /** Connects; the rest follows from the transport. */
  start(): void;
  /** Something that a report says has changed. */
  changed(): void;
  /** Says goodbye, closes the connection. */
  stop(): Promise<void>;
}

export function createSession(options: SessionOptions): Session {
  const { agent, topic, state, inbox, requester } = options;
  const { clock, random, transport, log } = options.ports;
  const times = { ...sessionTimes, ...options.times };
  /** Counts connections, so that work begun on one does not go on upon the next. */
  let connection = 0;
  let up = false;
  /** Connection on which presence was said. */
  let present = 0;
  let listening = new Set<string>();
  let incarnation: string | undefined;
  /** Highest revision that was hinted at, and that was asked for: a hint that never comes true is followed once a heartbeat. */
  let hinted = 0;
  let askedFor = 0;
  /** Why the last hello came to nothing: an operator sees it where the device is listed. */
  let fault: Reported["fault"];

  const publish = async (to: string, payload: unknown, qos: 0 | 1) => {
    try {
      await transport.publish(to, JSON.stringify(payload), { qos });
    } catch (error) {
      // A report lost with the connection is made anew after the next one.
      if (codeOf(error) !== "offline")
        log.warn("link.publish_failed", { to, code: codeOf(error), why: messageOf(error) });
    }
  };
  /** What was last reported, but for what changes by itself, and when (monotonic). */
  let said = { text: "", at: 0 };
  const report = () => {
    const now = { ...options.report(), ...(fault ? { fault } : {}) };
    said = { text: JSON.stringify({ ...now, at: 0, data: null }), at: clock.monotonic() };
    return publish(topic.reported(agent), now, 1);
  };
  const reportNews = () => {
    const { text, at } = said;
    const now = { ...options.report(), ...(fault ? { fault } : {}) };
    const same = JSON.stringify({ ...now, at: 0, data: null }) === text;
    return same && clock.monotonic() - at < times.repeatEveryMs ? undefined : report();
  };
  const heartbeat = () => {
    const { sent, received } = transport.bytes;
    const counts = { spoolBatches: options.spoolBatches(), bytesSent: sent, bytesReceived: received };
    return publish(topic.heartbeat(agent), { at: clock.now(), rev: state.rev, ...counts } satisfies Heartbeat, 0);
  };

  const listen = async (to: string, qos: 0 | 1) => {
    const here = listening;
    if (here.has(to)) return;
    await transport.subscribe(to, qos);
    here.add(to);
  };
  const acking = new Set<string>();
  const listenToStreams = async () => {
    if (options.asksBeside()) await listen(topic.shadowAck(agent), 0);
    for (const { stream } of options.streams()) {
      const to = topic.ack(agent, stream);
      if (!acking.has(stream)) {
        acking.add(stream);
        inbox.on(to, (payload) => options.acked(stream, parseMessage(ack, fromUtf8(payload), to)));
      }
      await listen(to, 0);
    }
  };

  const hello = createHello(options);
  const greeting = createRetry({
    clock,
    random,
    firstMs: times.retryMs,
    capMs: times.retryCapMs,
    failed: (error, inMs) => {
      fault = { code: codeOf(error), message: messageOf(error).slice(0, 2000) };
      log.warn("link.hello_failed", { code: fault.code, why: fault.message, inMs });
      debounced.in(times.reportDebounceMs);
    },
    work: async () => {
      const now = connection;
      await listen(topic.desired(agent), 1);
      await listen(topic.response(agent), 0);
      await listen(topic.controlPlane, 1);
      await listen(topic.command(agent), 1);
      await listen(topic.driftAck(agent), 0);
      await listenToStreams();
      if (now !== connection) return;
      if (present !== now) {
        await transport.publish(topic.presence(agent), JSON.stringify({ on: 1, sid: transport.sid }), { qos: 1 });
        present = now;
        options.connected();
      }
      await hello();
      fault = undefined;
      await listenToStreams(); // of models that were assigned just now
      await report();
      followHint();
    },
  });
  /** A hint that comes while a hello is under way may be answered by it. */
  const followHint = () => {
    if (hinted <= Math.max(state.rev, askedFor)) return;
    askedFor = hinted;
    greeting.now();
  };
  const debounced = createTimer(clock, () => void report());
  const regular = createTimer(clock, () => {
    regular.in(times.reportEveryMs);
    void reportNews();
  });
  const beating = createTimer(clock, () => {
    beating.in(times.heartbeatEveryMs);
    askedFor = 0;
    void heartbeat();
  });

  inbox.on(topic.response(agent), (payload) => requester.answered(payload));
  inbox.on(topic.command(agent), (payload) => {
    options.commanded(parseMessage(signedText, fromUtf8(payload), "the command"));
  });
  inbox.on(topic.driftAck(agent), (payload) => {
    options.driftAcked(parseMessage(driftAck, fromUtf8(payload), "the answer to a drift window"));
  });
  inbox.on(topic.shadowAck(agent), (payload) => {
    options.shadowAcked(parseMessage(shadowAck, fromUtf8(payload), "the answer to a shadow's parcel"));
  });
  inbox.on(topic.desired(agent), (payload) => {
    const { rev } = parseMessage(desired, fromUtf8(payload), "the hint on /desired");
    hinted = Math.max(hinted, rev);
    if (!greeting.working) followHint();
  });
  inbox.on(topic.controlPlane, (payload) => {
    const birth = parseMessage(controlPlaneBirth, fromUtf8(payload), "the control plane's birth");
    if (!birth.on || birth.incarnation === incarnation) return;
    // The first one seen is the one that this connection's hello goes to.
    if (incarnation !== undefined) greeting.in(random.unit() * times.helloJitterMs);
    incarnation = birth.incarnation;
  });

  return {
    start() {
      transport.start({
        up() {
          connection++;
          up = true;
          listening = new Set();
          incarnation = undefined;
          [hinted, askedFor] = [0, 0];
          greeting.now();
          regular.in(times.reportEveryMs);
          beating.in(times.heartbeatEveryMs);
        },
        down() {
          connection++;
          up = false;
          greeting.cancel();
          debounced.cancel();
          regular.cancel();
          beating.cancel();
          requester.disconnected();
          options.disconnected();
        },
        message: (to, payload) => inbox.deliver(to, payload),
      });
    },
    changed() {
      if (up && !debounced.waiting) debounced.in(times.reportDebounceMs);
    },
    async stop() {
      greeting.cancel();
      debounced.cancel();
      regular.cancel();
      beating.cancel();
      if (up) {
        // A broker that does not answer must not hold up the end.
        const late = Promise.withResolvers<void>();
        const cancel = clock.after(goodbyeMs, late.resolve);
        const goodbye = report().then(() => publish(topic.presence(agent), { on: 0, sid: transport.sid }, 1));
        await Promise.race([goodbye, late.promise]).finally(cancel);
      }
      up = false;
      await transport.close();
    },
  };
}
