/** Listening on a port, and saying which one could not be had and by what flag another is chosen. */
import type { AddressInfo, Server } from "node:net";
import { VedetteError } from "@vedette/protocol/errors";

/** What a port is for, and its flag of `vedette up`. */
export interface PortUse {
  readonly what: string;
  readonly flag: string;
}

/**
 * Resolves with the port, which differs where 0 asked for any free one.
 * @throws VedetteError not_ready.
 */
export function bindPort(server: Server, host: string, port: number, { what, flag }: PortUse): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? `another program listens there, perhaps another vedette: end it, or choose another port with ${flag}`
          : `${cause.message} (${flag} chooses the port, --host the address)`;
      reject(new VedetteError("not_ready", `cannot listen for ${what} on ${host} port ${port}: ${why}`, { cause }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
