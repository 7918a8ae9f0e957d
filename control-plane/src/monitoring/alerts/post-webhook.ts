/**
 * One POST to a receiver, which somebody chose by its address: plain HTTP(S) and no redirect, so that headers go to nobody
 * else; never to link-local addresses, where clouds keep the credentials of this machine; at most so long, whatever it answers.
 */
import { lookup } from "node:dns";
import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** Whether a receiver took it. @throws Error saying why not; never with a header or the path of its address. */
export type PostWebhook = (url: string, body: string, headers: Readonly<Record<string, string>>) => Promise<void>;

const answerWithinMs = 15_000;

/** Link-local, this network, multicast and reserved. */
const forbiddenIpv4 = [
  { first: "169.254.0.0", hex: "a9fe:0", bits: 16 },
  { first: "0.0.0.0", hex: "0:0", bits: 8 },
  { first: "224.0.0.0", hex: "e000:0", bits: 3 },
] as const;
/** Prefixes of 96 bits behind which an IPv4 address follows: NAT64 (RFC 6052, RFC 8215). */
const ipv4Within = ["64:ff9b::", "64:ff9b:1::"] as const;

const forbidden = new BlockList();
for (const { first, hex, bits } of forbiddenIpv4) {
  forbidden.addSubnet(first, bits, "ipv4");
  for (const prefix of ipv4Within) forbidden.addSubnet(`${prefix}${hex}`, 96 + bits, "ipv6");
}
// The old IPv4-compatible form; `::1` is this machine, where receivers may be.
forbidden.addSubnet("::a9fe:0", 112, "ipv6");
forbidden.addAddress("::", "ipv6");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("ff00::", 8, "ipv6");
/** Where a cloud's instance metadata are by IPv6. */
forbidden.addAddress("fd00:ec2::254", "ipv6");

/** Why an address of a receiver is none; undefined where it may be asked. A name is judged again when it is resolved. */
export function refusedAddress(url: string): string | undefined {
  const { protocol, hostname, username, password } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") return `${protocol} is not spoken: use http or https`;
  if (username !== "" || password !== "")
    return "its URL may not hold a user and a password, since it is shown: give them as a header";
  const host = hostname.replace(/^\[|\]$/g, "");
  return isIP(host) !== 0 && isForbidden(host) ? `${host} is no address of a receiver` : undefined;
}

export const postWebhook: PostWebhook = (url, body, headers) => {
  const why = refusedAddress(url);
  if (why !== undefined) return Promise.reject(new Error(why));
  const options: RequestOptions = {
    method: "POST",
    headers: {
      ...headers,
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(body),
    },
    lookup: guardedLookup,
    // A connection of its own: one that is kept was opened before the name's address was judged.
    agent: false,
    signal: AbortSignal.timeout(answerWithinMs),
  };
  return new Promise((resolve, reject) => {
    const send = new URL(url).protocol === "https:" ? httpsRequest : httpRequest;
    const asked = send(url, options, (answer) => {
      const status = answer.statusCode ?? 0;
      answer.destroy();
      if (status >= 200 && status <= 299) resolve();
      else reject(new Error(`the receiver answered ${status}`));
    });
    asked.on("error", (cause: NodeJS.ErrnoException) => {
      const timedOut = cause.name === "AbortError" || cause.name === "TimeoutError";
      const why = timedOut ? `no answer within ${answerWithinMs / 1000} s` : (cause.code ?? cause.message);
      reject(new Error(`the receiver was not reached: ${why}`, { cause }));
    });
    asked.end(body);
  });
};

/** Judges what a name leads to at the moment of connecting: a name may lead elsewhere than when it was given. */
const guardedLookup: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error, "");
    const bad = addresses.find(({ address }) => isForbidden(address));
    if (bad) return done(new Error(`${hostname} leads to ${bad.address}, which is no address of a receiver`), "");
    if (options.all) return done(null, addresses);
    const [first] = addresses;
    return first ? done(null, first.address, first.family) : done(new Error(`${hostname} leads nowhere`), "");
  });
};

/** An IPv4 address within an IPv6 one is judged as the former; where it is mapped (`::ffff:`), by BlockList itself. */
function isForbidden(address: string): boolean {
  const plain = address.split("%")[0] ?? address;
  return forbidden.check(plain, isIP(plain) === 6 ? "ipv6" : "ipv4");
}
