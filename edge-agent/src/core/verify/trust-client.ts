/** Port TrustClient: TUF's workflow, and what Vedette adds to the signed metadata. */

import { VedetteError } from "@vedette/protocol/errors";
import {
  type TargetsExtension,
  targetCustom,
  targetPath,
  targetsExtension,
  targetsExtensionField,
} from "@vedette/protocol/trust";
import type { Crypto, Storage, TrustClient } from "../ports.ts";
import type { Targets } from "./metadata.ts";
import { refreshMetadata, type TrustedMetadata } from "./tuf-client.ts";

export interface TrustClientOptions {
  readonly storage: Storage;
  readonly crypto: Crypto;
  /** The first root metadata, whose sha256 enrolment pinned. */
  readonly pinnedRoot: string;
}

export function createTrustClient(options: TrustClientOptions): TrustClient {
  return {
    async refresh(fetch, referenceTime) {
      const trusted = await refreshMetadata({ ...options, folder: "trust", fetch, referenceTime });
      return {
        extension: readExtension(trusted.targets),
        release: (model, digest, length) => findRelease(trusted, model, digest, length),
      };
    },
  };
}

/** TUF 5.7: the signed release of a manifest, whose path, length and sha256 are checked. */
async function findRelease(trusted: TrustedMetadata, model: string, digest: string, length: number): Promise<number> {
  const path = targetPath(model, digest);
  const target = await trusted.find(path);
  if (!target) throw new VedetteError("unknown_target", `nobody signed ${path}: publish that version again`);
  if (target.hashes.sha256 !== digest) {
    throw new VedetteError("digest_mismatch", `${path} is signed with the sha256 ${target.hashes.sha256}`);
  }
  if (target.length !== length) {
    throw new VedetteError("length_mismatch", `${path} has ${length} bytes where ${target.length} are signed`);
  }
  const custom = targetCustom.safeParse(target.custom);
  if (!custom.success || custom.data.model !== model) {
    throw new VedetteError("invalid_metadata", `the signed target ${path} does not say the model and its release`);
  }
  return custom.data.release;
}

function readExtension(targets: Targets): TargetsExtension {
  const extension = targetsExtension.safeParse(targets[targetsExtensionField]);
  if (extension.success) return extension.data;
  throw new VedetteError("invalid_metadata", `targets do not say who may assign versions (${targetsExtensionField})`);
}
