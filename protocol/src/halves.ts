/** FP16: 16-bit floats as the bit patterns that tensors hold. By hand, since not every runtime has a Float16Array. */

const word = new DataView(new ArrayBuffer(4));

/** The number that a half is (IEEE 754 binary16). */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  // Subnormal numbers have no hidden bit.
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The half nearest to a number, ties to even; infinite from 65520 on. */
export function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  word.setFloat32(0, value);
  const sign = (word.getUint32(0) >>> 16) & 0x8000;
  const size = Math.abs(value);
  if (size >= 65_520) return sign | 0x7c00;
  // Below the least normal half, places are 2^-24 apart; the 1024th of them is that half itself.
  if (size < 2 ** -14) return sign | evenly(size * 2 ** 24);
  let exponent = Math.floor(Math.log2(size));
  // The logarithm of a number just below a power of two may round up to it.
  if (2 ** exponent > size) exponent--;
  else if (2 ** (exponent + 1) <= size) exponent++;
  // Rounding up to 2048 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + (evenly(size * 2 ** (10 - exponent)) - 1024));
}

/** Rounds to the nearest integer, ties to even. */
function evenly(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
