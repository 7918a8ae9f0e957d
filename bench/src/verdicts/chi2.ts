/** The tail of χ², for turning a PSI into a p-value. */
import { logGamma } from "../../../control-plane/src/statistics/log-gamma.ts";

/** P(χ²_df > x): the upper incomplete gamma function Q(df/2, x/2), by series below df/2 + 1 and by Lentz's continued fraction above. */
export function chi2Tail(x: number, df: number): number {
  const [a, z] = [df / 2, x / 2];
  if (z <= 0) return 1;
  const front = Math.exp(a * Math.log(z) - z - logGamma(a));
  if (z < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let k = 1; term > sum * 1e-16; k++) sum += term *= z / (a + k);
    return Math.max(0, 1 - front * sum);
  }
  let b = z + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < 1000; k++) {
    const step = k * (a - k);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * fraction;
}
