/** NumPy's file format, version 1.0: how rows reach the peers. */
import { utf8 } from "@vedette/protocol/bytes";

/** The bytes of a little-endian f32 array [rows][width], row-major. */
export function npyOf(rows: Float32Array, width: number): Uint8Array {
  const shape = `(${rows.length / width}, ${width})`;
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  // Magic, version and length take ten bytes; the data begins at a multiple of 64, after a line's end.
  const padded = `${header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11)}\n`;
  const length = new Uint8Array(new Uint16Array([padded.length]).buffer);
  const data = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
  return Buffer.concat([Uint8Array.of(0x93), utf8("NUMPY"), Uint8Array.of(1, 0), length, utf8(padded), data]);
}
