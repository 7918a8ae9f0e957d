import { hash } from "node:crypto";

/** Lower-case hex; of a text, its UTF-8. */
export function sha256(bytes: Uint8Array | string): string {
  return hash("sha256", bytes, "hex");
}
