/**
 * The right to erasure: how an entity is named by those who must forget it, and when a row is its. Both ends keep only
 * the salted hash of an entity; device and control plane decide by the same two functions here.
 */
import { fromHex, toHex, utf8 } from "./bytes.ts";

/** What both ends keep of a request to erase. */
export interface Tombstone {
  /** Null: of every model. */
  readonly model: string | null;
  /** Of the site, 32 bytes, hex. */
  readonly salt: string;
  /** sha256 of `entityClaim`, hex. */
  readonly hash: string;
  /** UTC ms by the control plane's clock: what was answered later is none of it. */
  readonly before: number;
}

/** The bytes whose sha256 stands for an entity: fixed length before the text, so that no two pairs give the same bytes. */
export function entityClaim(saltHex: string, entity: string): Uint8Array<ArrayBuffer> {
  return utf8(`vedette/entity/1\n${toHex(fromHex(saltHex))}\n${entity}`);
}

/**
 * Whether a row of the entity was answered before the request, by the control plane's clock.
 * @param time UTC ms as the device had it. @param offset to the control plane's clock; null where the device did not
 * know it: then its clock proves nothing, and the row goes.
 */
export function answeredBefore(time: number, offset: number | null, before: number): boolean {
  return offset === null || time + offset <= before;
}
