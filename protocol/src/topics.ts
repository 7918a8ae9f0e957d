/**
 * Every MQTT topic there is. Exact topics only: no wildcard is ever granted to a device, none maps to a path.
 * Topics are at most 8 levels of `[A-Za-z0-9_-]`, so that the strictest brokers take them.
 */
import { agentId, modelName, sha256Hex, siteId } from "./ids.ts";

const version = "vd1";
/** Prediction logs are spread over this many partitions, so that ingestion can scale by partition. */
export const logPartitions = 16;

const up = ["reported", "presence", "hb", "req", "pull", "out", "drift", "shadow"] as const;
const down = ["desired", "res", "cmd", "dack", "sack"] as const;

/** Topic builders of one site. */
export function topics(site: string) {
  const agent = (id: string) => `${version}/${site}/a/${id}`;
  return {
    desired: (id: string) => `${agent(id)}/desired`,
    reported: (id: string) => `${agent(id)}/reported`,
    presence: (id: string) => `${agent(id)}/presence`,
    heartbeat: (id: string) => `${agent(id)}/hb`,
    request: (id: string) => `${agent(id)}/req`,
    response: (id: string) => `${agent(id)}/res`,
    command: (id: string) => `${agent(id)}/cmd`,
    outcome: (id: string) => `${agent(id)}/out`,
    drift: (id: string) => `${agent(id)}/drift`,
    driftAck: (id: string) => `${agent(id)}/dack`,
    shadow: (id: string) => `${agent(id)}/shadow`,
    shadowAck: (id: string) => `${agent(id)}/sack`,
    pull: (id: string) => `${agent(id)}/pull`,
    /** A chunk sent to one agent that could not get the retained one. */
    chunk: (id: string, sha256: string) => `${agent(id)}/chunk/${sha256}`,
    ack: (id: string, stream: string) => `${agent(id)}/ack/${stream}`,
    blob: (sha256: string) => `${version}/${site}/blob/${sha256}`,
    log: (id: string, stream: string) => `${version}/${site}/log/${partitionOf(id)}/${id}/${stream}`,
    controlPlane: `${version}/${site}/cp`,
  } as const;
}

export type Topic =
  | { kind: (typeof up)[number] | (typeof down)[number]; site: string; agent: string }
  | { kind: "chunk"; site: string; agent: string; sha256: string }
  | { kind: "ack"; site: string; agent: string; stream: string }
  | { kind: "blob"; site: string; sha256: string }
  | { kind: "log"; site: string; agent: string; stream: string; partition: number }
  | { kind: "cp"; site: string };

/** What a topic means, or undefined where it is none of ours (wildcards are none of ours). */
export function parseTopic(text: string): Topic | undefined {
  if (text.length > 256) return undefined;
  const [v, site, kind, a, b, c, ...rest] = text.split("/");
  if (v !== version || rest.length > 0 || site === undefined || !siteId.safeParse(site).success) return undefined;
  if (kind === "cp") return a === undefined ? { kind, site } : undefined;
  if (kind === "blob")
    return a && b === undefined && sha256Hex.safeParse(a).success ? { kind, site, sha256: a } : undefined;
  if (kind === "log") {
    if (!b || !c || !agentId.safeParse(b).success || !modelName.safeParse(c).success) return undefined;
    return a === String(partitionOf(b)) ? { kind, site, agent: b, stream: c, partition: Number(a) } : undefined;
  }
  if (kind !== "a" || !a || !b || !agentId.safeParse(a).success) return undefined;
  if (b === "chunk") return c && sha256Hex.safeParse(c).success ? { kind: b, site, agent: a, sha256: c } : undefined;
  if (b === "ack") return c && modelName.safeParse(c).success ? { kind: b, site, agent: a, stream: c } : undefined;
  const plain = [...up, ...down].find((name) => name === b);
  return plain && c === undefined ? { kind: plain, site, agent: a } : undefined;
}

/** What a control plane listens to at a broker of its own login: all devices' upward topics. The wildcards are its own. */
export function uplinkFilters(site: string): string[] {
  return [...up.map((kind) => `${version}/${site}/a/+/${kind}`), `${version}/${site}/log/+/+/+`];
}

/** Whether a device may publish to a topic: its own upward topics only. */
export function mayPublish(site: string, agent: string, topic: string): boolean {
  const parsed = parseTopic(topic);
  if (!parsed || parsed.site !== site || !("agent" in parsed) || parsed.agent !== agent) return false;
  return parsed.kind === "log" || (up as readonly string[]).includes(parsed.kind);
}

/** Whether a device may subscribe to a topic: its own downward topics, blobs by hash, and the control plane's birth. */
export function maySubscribe(site: string, agent: string, topic: string): boolean {
  const parsed = parseTopic(topic);
  if (!parsed || parsed.site !== site) return false;
  if (parsed.kind === "blob" || parsed.kind === "cp") return true;
  if (!("agent" in parsed) || parsed.agent !== agent) return false;
  return parsed.kind === "chunk" || parsed.kind === "ack" || (down as readonly string[]).includes(parsed.kind);
}

/** The log partition of an agent: FNV-1a of its id, modulo 16. */
export function partitionOf(agent: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < agent.length; i++) hash = Math.imul(hash ^ agent.charCodeAt(i), 0x01000193) >>> 0;
  return hash % logPartitions;
}
