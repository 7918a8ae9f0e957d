/** The control plane of `idle`, whole: HTTP, database, lake threads and broker; devices get in by any password. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig, startControlPlane } from "@vedette/control-plane";
import { type EmbeddedBroker, startEmbeddedBroker } from "../../../control-plane/src/mqtt/embedded-broker.ts";
import { serveTasks } from "./helper.ts";
import { letIn, logger, site } from "./open-house.ts";

const home = await mkdtemp(join(tmpdir(), "vedette-idle-"));
let broker: EmbeddedBroker | undefined;
const controlPlane = await startControlPlane(
  parseConfig({ home, site, host: "127.0.0.1", port: 0, mqttPort: 0, wsPort: 0 }),
  {
    logger,
    async startBroker(options) {
      broker = await startEmbeddedBroker({ ...options, fleet: { ...options.fleet, authenticate: letIn } });
      return broker;
    },
  },
);

let cpuBefore = process.cpuUsage();
const tasks = {
  port: () => broker?.port ?? 0,
  usage() {
    const used = process.cpuUsage(cpuBefore);
    cpuBefore = process.cpuUsage();
    return {
      /** Bytes, as it stands: nobody collects garbage for a server. */
      resident: process.memoryUsage.rss(),
      connected: broker?.connected().length ?? 0,
      cpuSeconds: (used.user + used.system) / 1e6,
    };
  },
  async close(): Promise<void> {
    await controlPlane.close();
    await rm(home, { recursive: true, force: true });
  },
};
export type IdleServerTasks = typeof tasks;

serveTasks(tasks);
