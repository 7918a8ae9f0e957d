/**
 * Our side as a process of its own: the agent's HTTP server with a slot behind it as an agent composes it, and without a
 * network: `node agent-server.ts MODEL PORT`. Batches are dropped as if a control plane had stored them.
 */
import { startOipServer } from "@vedette/edge-agent/node";
import { messageOf } from "@vedette/protocol/errors";
import { agentOf, openServedModel } from "../served-model.ts";
import { benchModel, type ModelKind } from "./models.ts";

const storedEveryMs = 1000;

const [kind, port] = process.argv.slice(2);
const served = await openServedModel(benchModel(kind as ModelKind));
const log = { info: () => undefined, warn: console.warn, error: console.error };
const oip = await startOipServer({ agent: agentOf(served), log, version: "bench", port: Number(port) });

let settling: Promise<unknown> = Promise.resolve();
const stored = setInterval(() => {
  settling = settling.then(() => served.settle()).catch((error: unknown) => console.error(messageOf(error)));
}, storedEveryMs);

process.once("SIGTERM", () => {
  clearInterval(stored);
  settling
    .then(() => oip.close())
    .then(() => served.close())
    .then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(messageOf(error));
        process.exit(1);
      },
    );
});
