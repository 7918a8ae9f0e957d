/** How this device logs in to the broker, as the control plane says: by its one-hour token, or by its certificate. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { requestDeviceToken } from "../http/device-token.ts";
import { postJson } from "../http/post-json.ts";
import type { MqttCredentials } from "../mqtt/transport.ts";
import { currentCertificate, type JoinedDevice } from "./device-certificate.ts";

/** Asked anew for each connection. @throws VedetteError offline, timeout; or the control plane's own refusal. */
export async function loginOf(device: JoinedDevice): Promise<MqttCredentials> {
  const { token, time, mqttUrl, mqttAuth, mqttCa } = await requestDeviceToken({ ...device, post: postJson });
  // Given authorities replace the public ones, and a broker may have either.
  const ca = mqttCa === undefined ? {} : { ca: [...rootCertificates, mqttCa].join("\n") };
  if (mqttAuth === "token") return { url: mqttUrl, time, password: token, ...ca };
  const cert = await currentCertificate({ ...device, now: time });
  return { url: mqttUrl, time, cert, key: await readFile(join(device.home, "device.key"), "utf8"), ...ca };
}
