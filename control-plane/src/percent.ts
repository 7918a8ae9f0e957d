/** A share as people read it, in three digits: 0.125 is `12.5 %`. */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
