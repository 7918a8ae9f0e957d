/** How a signer asks a control plane that it does not trust: it waits for no answer for ever, and takes none without an end. */
import { VedetteError } from "@vedette/protocol/errors";

const patienceMs = 60_000;
/** Some times a manifest with the project's metadata, the longest that it is sent. */
const mostBytes = 16 * 1024 * 1024;

/** As `fetch`. The body ends with VedetteError too_large where it is longer than anything that a signer asks for. */
export const patient: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, signal: AbortSignal.timeout(patienceMs) });
  if (response.body === null) return response;
  let bytes = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes <= mostBytes) return controller.enqueue(chunk);
      const why = `${response.url} answered with over ${mostBytes} bytes: is that the control plane?`;
      controller.error(new VedetteError("too_large", why));
    },
  });
  return new Response(response.body.pipeThrough(counted), response);
};
