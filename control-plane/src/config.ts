/** The control plane's configuration: flags over environment over defaults, parsed once. */

import { join, resolve } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { siteId } from "@vedette/protocol/ids";
import { z } from "zod";

/** 0: any free port. */
const port = z.coerce.number().int().min(0).max(65_535);

const settings = z.object({
  /** Folder of everything the control plane keeps. */
  home: z.string().min(1).default(".vedette"),
  site: siteId.default("main"),
  host: z.string().min(1).default("127.0.0.1"),
  port: port.default(7700),
  mqttPort: port.default(7701),
  wsPort: port.default(7702),
  /** Where devices and operators reach the HTTP API, where that is not host and port (a proxy, a container). */
  publicUrl: z.url({ protocol: /^https?$/ }).optional(),
  /** Where devices (`mqtt://`) and pages (`ws://`) reach the broker, where that is not the public URL's host. */
  mqttUrl: z.url({ protocol: /^mqtts?$/ }).optional(),
  mqttWsUrl: z.url({ protocol: /^wss?$/ }).optional(),
  /** A broker of yours, by `mqtt://` or `mqtts://`; absent: one within this process. */
  brokerUrl: z.url({ protocol: /^mqtts?$/ }).optional(),
  /** What the control plane is to that broker, where its certificate is not enough. */
  brokerUsername: z.string().min(1).optional(),
  brokerPasswordFile: z.string().min(1).optional(),
  /** PEM of who signs the broker's certificate, where that is neither a public authority nor the site's own. */
  brokerCaFile: z.string().min(1).optional(),
  /** How devices log in there; without a broker of yours always by token. */
  deviceAuth: z.enum(["token", "certificate"]).default("certificate"),
  /** PEM files of the broker within this process: then devices come by `mqtts://`, pages by `wss://`. */
  mqttCertFile: z.string().min(1).optional(),
  mqttKeyFile: z.string().min(1).optional(),
  /** Folder of the built page; `<home>/page` by default. */
  pageDir: z.string().min(1).optional(),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
});

const variables = {
  home: "VEDETTE_HOME",
  site: "VEDETTE_SITE",
  host: "VEDETTE_HOST",
  port: "VEDETTE_PORT",
  mqttPort: "VEDETTE_MQTT_PORT",
  wsPort: "VEDETTE_WS_PORT",
  publicUrl: "VEDETTE_PUBLIC_URL",
  mqttUrl: "VEDETTE_MQTT_URL",
  mqttWsUrl: "VEDETTE_MQTT_WS_URL",
  brokerUrl: "MQTT_URL",
  brokerUsername: "MQTT_USERNAME",
  brokerPasswordFile: "MQTT_PASSWORD_FILE",
  brokerCaFile: "MQTT_CA_FILE",
  deviceAuth: "VEDETTE_DEVICE_AUTH",
  mqttCertFile: "VEDETTE_MQTT_CERT_FILE",
  mqttKeyFile: "VEDETTE_MQTT_KEY_FILE",
  pageDir: "VEDETTE_PAGE_DIR",
  logLevel: "VEDETTE_LOG_LEVEL",
} as const satisfies Record<keyof z.input<typeof settings>, string>;

export type Config = Readonly<z.output<typeof settings>> & { readonly pageDir: string };
/** As flags come: numbers may be text; undefined where a flag was not given. */
export type ConfigInput = { readonly [K in keyof typeof variables]?: string | number | undefined };

/**
 * @throws VedetteError invalid_argument naming each setting that does not fit, and its variable.
 */
export function parseConfig(flags: ConfigInput, env: Readonly<Record<string, string | undefined>> = {}): Config {
  const input = Object.fromEntries(
    Object.entries(variables).map(([name, variable]) => [name, flags[name as keyof ConfigInput] ?? env[variable]]),
  );
  const parsed = settings.safeParse(input);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      return `${name} (${Object.entries(variables).find(([key]) => key === name)?.[1]}): ${message}`;
    });
    throw new VedetteError("invalid_argument", `the configuration does not fit: ${wrong.join("; ")}`);
  }
  const home = resolve(parsed.data.home);
  return { ...parsed.data, home, pageDir: resolve(parsed.data.pageDir ?? join(home, "page")) };
}
