/**
 * Who may connect, publish and subscribe. A device is its client id, its user name and the subject of its token at once;
 * it publishes and subscribes to its own exact topics, retains nothing, and its will is its own presence.
 */
import { agentId } from "@vedette/protocol/ids";
import { maxPayloadBytes } from "@vedette/protocol/messages";
import { mayPublish, maySubscribe, topics } from "@vedette/protocol/topics";
import type { AedesOptions, Client } from "aedes";
import type { Clock, Fleet, Logger } from "../ports.ts";
import type { BrokerLimits } from "./limits.ts";
import { type Session, type Sessions, subscriptionCount } from "./sessions.ts";

/** Longest password that is looked at: a token has a few hundred characters. */
const maxPasswordBytes = 4096;
/** CONNACK return codes (3.1.1, table 3.1). */
const serverUnavailable = 3;
const badCredentials = 4;

type Access = Required<
  Pick<AedesOptions, "preConnect" | "authenticate" | "authorizePublish" | "authorizeSubscribe" | "authorizeForward">
>;

export function accessRules(options: {
  site: string;
  fleet: Fleet;
  sessions: Sessions;
  limits: BrokerLimits;
  clock: Clock;
  logger: Logger;
  count(what: string): void;
}): Access {
  const { site, fleet, sessions, limits, clock, logger, count } = options;
  const names = topics(site);

  const complain = (client: Client | null, what: string, why: string) => {
    count(what);
    const session = client && sessions.of(client);
    if (!session || session.complaints.take()) logger.warn(`mqtt.${what}`, { agent: session?.agent ?? null, why });
    return new Error(why);
  };
  /** Calls when it is this message's turn. aedes reads no further meanwhile, so that a fast device is slowed, not lost. */
  const paced = (session: Session, call: () => void) => {
    const wait = session.client.closed ? 0 : session.pace.reserve();
    if (wait === 0) call();
    else clock.after(wait, call);
  };

  return {
    preConnect(client, packet, done) {
      const will = packet.will;
      const why = !packet.clean
        ? "only clean sessions are kept"
        : packet.clientId !== packet.username
          ? "the client id is not the user name"
          : will && (will.topic !== names.presence(packet.clientId) || will.retain || (will.qos ?? 0) > 1)
            ? "a will is only for the device's own presence, and not retained"
            : undefined;
      if (why === undefined) done(null, true);
      else done(complain(client, "connect_refused", why), false);
    },

    authenticate(client, username, password, done) {
      const refuse = (code: number, why: string) => {
        count("unauthenticated");
        done(Object.assign(new Error(why), { returnCode: code }), false);
      };
      if (!username || !agentId.safeParse(username).success || !password || password.length > maxPasswordBytes) {
        refuse(badCredentials, "a device connects with its name and its token");
        return;
      }
      fleet.authenticate(username, password.toString("utf8")).then(
        (until) => {
          if (until === undefined || until <= clock.now()) return refuse(badCredentials, "the token does not hold");
          if (client.closed) return undefined;
          sessions.open(client, username, until);
          return done(null, true);
        },
        (error: unknown) => {
          logger.error("mqtt.authenticate_failed", { agent: username, error: String(error) });
          refuse(serverUnavailable, "the control plane cannot check tokens now");
        },
      );
    },

    authorizePublish(client, packet, done) {
      const session = client && sessions.of(client);
      if (!session) return done(new Error("no device publishes without a session"));
      if (packet.retain || packet.qos > 1 || !mayPublish(site, session.agent, packet.topic)) {
        return done(
          complain(client, "publish_refused", "a device publishes to its own topics, QoS 0 or 1, retaining nothing"),
        );
      }
      if (packet.payload.length > maxPayloadBytes) {
        return done(
          complain(client, "publish_refused", `a payload of ${packet.payload.length} bytes, over ${maxPayloadBytes}`),
        );
      }
      paced(session, () => done(null));
    },

    authorizeSubscribe(client, subscription, done) {
      const session = sessions.of(client);
      if (!session) return done(new Error("no device subscribes without a session"));
      const allowed =
        subscription.qos <= 1 &&
        maySubscribe(site, session.agent, subscription.topic) &&
        subscriptionCount(client) < limits.subscriptions;
      if (!allowed) complain(client, "subscribe_refused", "a device subscribes to its own topics, blobs and the birth");
      paced(session, () => done(null, allowed ? subscription : null));
    },

    authorizeForward(client, packet) {
      if (client.conn.writableLength <= limits.unreadBytes) return packet;
      client.conn.destroy(complain(client, "unread", `the device leaves over ${limits.unreadBytes} bytes unread`));
      return null;
    },
  };
}
