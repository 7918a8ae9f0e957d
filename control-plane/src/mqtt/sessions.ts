/** The devices connected now, and how to send to one of them. Kept by connection, for a newer one may take its name. */
import type { Client } from "aedes";
import type { Clock } from "../ports.ts";
import type { BrokerLimits } from "./limits.ts";
import { createPeer, type Downlink, type Peer } from "./peer.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";

export interface Session extends Peer {
  readonly client: Client;
  /** Messages and subscriptions. */
  readonly pace: TokenBucket;
}

export interface Sessions extends Downlink {
  /** A connection proved its name until a moment (UTC ms), when it is closed. */
  open(client: Client, agent: string, until: number): void;
  /** The connection is accepted: from now on it is the device's, and an older one ends. */
  accepted(client: Client): void;
  of(client: Client): Session | undefined;
  connected(): string[];
  disconnect(agent: string): void;
}

/** A timer that waits longer than this fires at once. */
const maxTimerMs = 2 ** 31 - 1;

export function createSessions(clock: Clock, limits: BrokerLimits): Sessions {
  const byClient = new WeakMap<Client, Session>();
  const byAgent = new Map<string, Session>();

  return {
    open(client, agent, until) {
      const session: Session = {
        ...createPeer(agent, limits, clock),
        client,
        pace: createTokenBucket(limits.messagesPerSecond, limits.messageBurst, clock),
      };
      byClient.set(client, session);
      const cancel = clock.after(Math.min(until - clock.now(), maxTimerMs), () => client.conn.destroy());
      client.conn.once("close", () => {
        cancel();
        if (byAgent.get(agent) === session) byAgent.delete(agent);
      });
    },
    accepted(client) {
      const session = byClient.get(client);
      if (!session || client.conn.destroyed) return;
      // aedes closes the older connection too, but loses track of one that breaks at the same moment.
      byAgent.get(session.agent)?.client.conn.destroy();
      byAgent.set(session.agent, session);
    },
    of: (client) => byClient.get(client),
    connected: () => [...byAgent.keys()],
    disconnect: (agent) => void byAgent.get(agent)?.client.conn.destroy(),
    send(agent, topic, payload, { qos = 0, retain = false } = {}) {
      const client = byAgent.get(agent)?.client;
      if (!client || !subscribed(client, topic)) return Promise.resolve();
      return new Promise((resolve) => {
        const packet = { cmd: "publish", topic, payload, qos, retain, dup: false } as const;
        // To this client alone: aedes.publish goes through a queue that one slow reader holds up for all. A device
        // that is gone gets the message again when it asks again, so that an error here is none.
        client.publish(packet, () => resolve());
      });
    },
  };
}

function subscribed(client: Client, topic: string): boolean {
  // A map of aedes that its types do not name.
  return topic in (client as Client & { readonly subscriptions: Record<string, unknown> }).subscriptions;
}

/** How many topics a client is subscribed to. */
export function subscriptionCount(client: Client): number {
  return Object.keys((client as Client & { readonly subscriptions: Record<string, unknown> }).subscriptions).length;
}
