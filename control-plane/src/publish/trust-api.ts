/** What the commands of trust ask of the control plane. `cli/api-client.ts` is the one that does. */
import type { modelSignature, publishVersion, rotateOnlineKey, trustState } from "@vedette/protocol/api";
import type { z } from "zod";

export type TrustState = z.infer<typeof trustState>;
export type ModelSignature = Pick<z.infer<typeof modelSignature>, "bundle" | "publicKey">;
export interface SignedMetadata {
  readonly role: string;
  readonly text: string;
}
/** A version that is published once its metadata are signed. */
export type Publication = Omit<z.infer<typeof publishVersion>, "metadata"> & { readonly model: string };

export interface TrustApi {
  trust(): Promise<TrustState>;
  putMetadata(metadata: SignedMetadata[]): Promise<void>;
  /** The text of a metadata file; undefined where there is none. */
  metadata(file: string): Promise<string | undefined>;
  rotateOnlineKey(role: z.infer<typeof rotateOnlineKey>["role"]): Promise<TrustState>;
}
