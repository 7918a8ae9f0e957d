/** The broker that the configuration names: one within this process, or one elsewhere. */
import type { Broker, RetainedChunks } from "../ports.ts";
import { type BrokerOptions, startEmbeddedBroker } from "./embedded-broker.ts";
import { type BrokerAddress, connectBroker } from "./external-broker.ts";

/** @throws VedetteError not_ready where a port of the embedded broker cannot be had. */
export function startBroker(
  options: BrokerOptions & { readonly address: BrokerAddress | undefined; readonly chunks: RetainedChunks },
): Promise<Broker> {
  const { address, ...rest } = options;
  return address ? connectBroker({ ...rest, address }) : startEmbeddedBroker(rest);
}
