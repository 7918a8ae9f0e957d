/** What a signer asks of the control plane. `cli/api-client.ts` is the one that does; nothing that comes back is believed. */
import type { Release, ReleaseFacts } from "@vedette/protocol/release-api";
import type { TrustApi } from "../publish/trust-api.ts";

export interface SignerApi extends Pick<TrustApi, "trust" | "metadata"> {
  /** The newest first. */
  releases(query: {
    model?: string | undefined;
    limit?: number | undefined;
  }): Promise<{ releases: readonly ReleaseFacts[] }>;
  release(id: number): Promise<Release>;
  /** The bytes of a chunk. @throws VedetteError digest_mismatch where they are not those of the name. */
  blob(sha256: string): Promise<Uint8Array<ArrayBuffer>>;
  signRelease(id: number, metadata: string): Promise<Release>;
  refuseRelease(id: number, why: string): Promise<Release>;
}
