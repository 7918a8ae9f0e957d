import type { Backend, Clock, Random } from "../core/ports.ts";
/** On whole numbers, which golden vectors are made of, all that load answer well; trouble comes in service. */
export declare const troubles: readonly ["none", "broken", "wrong", "nan", "throw", "slow", "flaky"];
export interface StubModel {
  readonly scale: number;
  /**
   * `broken` does not load; `wrong` fails its golden vectors; `nan` and `throw` fail in service; `slow` is late now and
   * then; `flaky` throws now and then.
   */
  readonly trouble: (typeof troubles)[number];
}
export declare function createStubBackend(clock: Clock, random: Random): Backend;
