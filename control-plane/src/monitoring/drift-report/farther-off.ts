/** Which of two features is farther from its reference, for sorting. Pure. */

/** By what PSI is of what chance would give, the farthest first. */
export function fartherOff(a: { psi: number; psiCritical: number }, b: { psi: number; psiCritical: number }): number {
  const ratio = ({ psi, psiCritical }: { psi: number; psiCritical: number }) =>
    psiCritical > 0 ? psi / psiCritical : 0;
  return ratio(b) - ratio(a);
}
