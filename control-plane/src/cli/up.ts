/** `vedette up`: the control plane in this process, and the page built beside it. */

import { messageOf } from "@vedette/protocol/errors";
import type { Command } from "commander";
import { parseConfig } from "../config.ts";
import { createPlainLog } from "../plain-log.ts";
import { agentFile } from "./agent.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";

interface UpFlags {
  site?: string;
  host?: string;
  port?: string;
  mqttPort?: string;
  wsPort?: string;
  publicUrl?: string;
  page: boolean;
}

export function addUp(program: Command, io: Io): void {
  program
    .command("up")
    .description("start the control plane, and keep it running until SIGINT or SIGTERM")
    .option("--site <name>", "the site's name; it never changes (default: main)")
    .option("--host <address>", "where to listen (default: 127.0.0.1)")
    .option("--port <number>", "HTTP (default: 7700; 0: any free one)")
    .option("--mqtt-port <number>", "MQTT for devices (default: 7701)")
    .option("--ws-port <number>", "MQTT over websockets for pages (default: 7702)")
    .option("--public-url <url>", "where devices reach this control plane, if not at host and port")
    .option("--no-page", "do not build the browser agent")
    .addHelpText("after", "\nExample:\n  $ vedette up --home .vedette --site station-house\n  $ vedette keys init")
    .action(async ({ page, ...flags }: UpFlags, command: Command) => {
      const context = contextOf(command, io);
      const config = parseConfig({ ...flags, home: context.home }, io.env);
      const interrupted = io.interrupted();
      // Loading the control plane takes long, and no other command needs it.
      const { startControlPlane } = await import("../main.ts");
      // JSON lines are for collectors: who sits there and did not ask for the log is told in words.
      const plain = io.terminal && !context.json && io.env.VEDETTE_LOG_LEVEL === undefined;
      const controlPlane = await startControlPlane(config, plain ? { logger: createPlainLog(io.stderr) } : {});
      const { url, mqttUrl, mqttWsUrl, operatorTokenFile } = controlPlane;
      const pages = mqttWsUrl === "" ? "none, for VEDETTE_MQTT_WS_URL is not set" : mqttWsUrl;
      context.answer(
        { ready: true, url, mqttUrl, mqttWsUrl, site: config.site, home: config.home, operatorTokenFile },
        `Site ${config.site} is up at ${url} (devices: ${mqttUrl}, pages: ${pages}).\n` +
          `The operator's token is in ${operatorTokenFile}. Ctrl-C stops it.\n`,
      );
      // The page may come later: until then the control plane says so to whoever asks for it.
      const news = plain ? io.stderr : () => undefined;
      const building = page ? buildPage(config.pageDir, `${url}/page/`, io, news) : Promise.resolve();
      await interrupted;
      news("Stopping: requests under way are answered first.\n");
      await controlPlane.close();
      await building;
      news("Stopped. `vedette up` starts it again with all that it holds.\n");
    });
}

/** A page that cannot be built is told, and keeps nobody from serving devices. */
async function buildPage(folder: string, url: string, io: Io, news: (text: string) => void): Promise<void> {
  try {
    const code = await io.run(agentFile("./src/node/build-page.ts"), ["--out", folder], "news");
    if (code !== 0)
      io.stderr(`vedette: the page for browsers could not be built (exit code ${code}); devices are not affected\n`);
    else news(`The page for browsers is built: ${url}\n`);
  } catch (error) {
    io.stderr(`vedette: the page for browsers could not be built: ${messageOf(error)}\n`);
  }
}
