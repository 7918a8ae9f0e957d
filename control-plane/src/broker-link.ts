/** What the configuration says of the broker, with the files it names read. compose.ts hands it to the broker and to http/. */
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Config } from "./config.ts";
import { controlPlaneName, type SiteAuthority } from "./fleet/site-authority.ts";
import type { BrokerAddress } from "./mqtt/external-broker.ts";

/** How a device logs in, as it is told with its token. */
export interface DeviceLogin {
  readonly mqttAuth: "token" | "certificate";
  /** PEM. */
  readonly mqttCa?: string;
}

export interface BrokerLink {
  /** Of the embedded broker. PEM texts. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Of an external broker. */
  readonly address: BrokerAddress | undefined;
  readonly deviceLogin: DeviceLogin;
}

/** @throws VedetteError invalid_argument where a file cannot be read, or one of a pair is missing. */
export async function readBrokerLink(config: Config, authority: SiteAuthority): Promise<BrokerLink> {
  const { brokerUrl, brokerCaFile, mqttCertFile, mqttKeyFile } = config;
  const ownCa = brokerCaFile === undefined ? undefined : await readSetting("MQTT_CA_FILE", brokerCaFile);
  if (brokerUrl === undefined) {
    if ((mqttCertFile === undefined) !== (mqttKeyFile === undefined)) {
      throw new VedetteError(
        "invalid_argument",
        "TLS takes a certificate and its key: set both VEDETTE_MQTT_CERT_FILE and VEDETTE_MQTT_KEY_FILE",
      );
    }
    const tls =
      mqttCertFile === undefined || mqttKeyFile === undefined
        ? undefined
        : {
            cert: await readSetting("VEDETTE_MQTT_CERT_FILE", mqttCertFile),
            key: await readSetting("VEDETTE_MQTT_KEY_FILE", mqttKeyFile),
          };
    const mqttCa = tls && { mqttCa: ownCa ?? authority.ca };
    return { tls, address: undefined, deviceLogin: { mqttAuth: "token", ...mqttCa } };
  }
  const { username, password } = new URL(brokerUrl);
  const file = config.brokerPasswordFile;
  const secure = brokerUrl.startsWith("mqtts:");
  const ca = ownCa ?? authority.ca;
  const own = secure ? await authority.forControlPlane() : undefined;
  return {
    tls: undefined,
    address: {
      url: brokerUrl,
      clientId: controlPlaneName,
      username: config.brokerUsername ?? (decodeURIComponent(username) || undefined),
      password:
        file === undefined
          ? decodeURIComponent(password) || undefined
          : (await readSetting("MQTT_PASSWORD_FILE", file)).trim(),
      ...own,
      // Given authorities replace the public ones, and a broker may have either.
      ...(secure && { ca: [...rootCertificates, ca].join("\n") }),
    },
    deviceLogin: { mqttAuth: config.deviceAuth, ...(secure && { mqttCa: ca }) },
  };
}

async function readSetting(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new VedetteError("invalid_argument", `${setting}: ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
