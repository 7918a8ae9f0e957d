/**
 * Which pages may ask: those of the origins that the configuration names. Without a key, no other page may, for any page
 * open in the device's browser could fill the prediction log.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { VedetteError } from "@vedette/protocol/errors";

export interface Cors {
  /**
   * Of a request with an Origin.
   * @param open whether nobody is asked for a key.
   * @returns whether it was a preflight, and is answered. @throws VedetteError forbidden.
   */
  apply(incoming: IncomingMessage, outgoing: ServerResponse, open: boolean): boolean;
}

const allowedHeaders =
  "authorization, content-type, inference-header-content-length, traceparent, tracestate, x-api-key";
const exposedHeaders = "inference-header-content-length, retry-after, traceparent";

/** @param origins exact ones, such as `https://app.example`. */
export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins);
  return {
    apply(incoming, outgoing, open) {
      const { origin } = incoming.headers;
      const preflight =
        incoming.method === "OPTIONS" && incoming.headers["access-control-request-method"] !== undefined;
      if (origin === undefined || !allowed.has(origin)) {
        if (!open && !preflight) return false;
        const what = open
          ? "pages do not ask here without an API key: use the agent for browsers, a key, or --cors-origin"
          : "pages of this origin may not ask here: allow it by --cors-origin";
        throw new VedetteError("forbidden", what);
      }
      outgoing.setHeader("access-control-allow-origin", origin);
      outgoing.setHeader("vary", "Origin");
      if (!preflight) {
        outgoing.setHeader("access-control-expose-headers", exposedHeaders);
        return false;
      }
      outgoing.writeHead(204, {
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": allowedHeaders,
        "access-control-max-age": "600",
      });
      outgoing.end();
      incoming.resume();
      return true;
    },
  };
}
