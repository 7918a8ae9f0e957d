/**
 * The page's TrustClient: the client workflow of the TUF specification 1.0 (section 5) on WebCrypto, without Node. It
 * reads and keeps metadata in the Storage port and fetches by the function it is given; `checks.ts` judges.
 *
 * A later step never runs on what an earlier one did not accept, and every accepted file is kept at once, so that a
 * page closed midway has lost nothing and gone back nowhere.
 */
import type { Crypto, Storage, TrustClient } from "../../core/ports.ts";
export interface TrustClientOptions {
  readonly storage: Storage;
  readonly crypto: Crypto;
  /** The root metadata that enrolment pinned by its sha256 (5.2). */
  readonly pinnedRoot: string;
  /** Folder of the trusted metadata. */
  readonly folder?: string;
}
export declare function createTrustClient(options: TrustClientOptions): TrustClient;
