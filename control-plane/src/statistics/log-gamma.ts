/**
 * ln Γ(x), by Stirling's series (Abramowitz & Stegun 6.1.41) after stepping up to 12, where it is exact to the last digits.
 * @param x above 0.
 */
export function logGamma(x: number): number {
  let up = 0;
  let at = x;
  for (; at < 12; at++) up += Math.log(at);
  const square = 1 / (at * at);
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - up;
}
