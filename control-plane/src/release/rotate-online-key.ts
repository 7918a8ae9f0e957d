/** Rotating a key that the control plane itself holds, as after a break-in: HTTP asks, the audit tells. */
import type { rotateOnlineKey } from "@vedette/protocol/api";
import type { z } from "zod";
import type { Database } from "../db/database.ts";
import type { Clock } from "../ports.ts";
import type { Gates } from "./gate/gate.ts";
import type { OnlineKeys } from "./online-keys.ts";

/**
 * Makes the next key of a role. Those that signed metadata name wait for metadata that name them; that of device tokens
 * counts at once, and every device logs in anew by its own key; that of the gate once what matters now was checked anew.
 */
export async function rotateKey(
  role: z.infer<typeof rotateOnlineKey>["role"],
  ports: {
    db: Database;
    clock: Clock;
    keys: OnlineKeys;
    gates: Pick<Gates, "rotate">;
    disconnectAll: () => Promise<void>;
  },
  actor: string,
): Promise<void> {
  if (role === "gate") return ports.gates.rotate(actor);
  const { db, clock, keys, disconnectAll } = ports;
  const before = role === "device-tokens" ? keys.deviceTokens.publicKeyHex : keys[role].publicKeyHex;
  const made = role === "device-tokens" ? await keys.renewDeviceTokens() : await keys.stage(role);
  await db.audit.append({
    at: clock.now(),
    actor,
    action: role === "device-tokens" ? "online_key.rotate" : "online_key.stage",
    subject: role,
    detail: { before: { publicKey: before }, after: { publicKey: made.publicKeyHex } },
  });
  if (role === "device-tokens") await disconnectAll();
}
