/** Side by side: each subject has its turn in every round, so that what else the machine does falls on all alike. */

export interface Subject {
  readonly name: string;
  /** Does its work until `until` (performance.now() ms) and says how many predictions that were. */
  run(until: number): Promise<number>;
  /** Work that was put off; its CPU counts, its time does not. */
  settle?(): Promise<void>;
}
/** Medians over the rounds. */
export interface Figures {
  readonly perSecond: number;
  /** CPU µs a prediction, of all threads of this process. */
  readonly cpuMicros: number;
}

export interface RoundOptions {
  readonly rounds: number;
  /** ms of one subject's turn. */
  readonly turnMs: number;
}

/** The first round only warms up. */
export async function interleave(
  subjects: readonly Subject[],
  { rounds, turnMs }: RoundOptions,
): Promise<Map<string, Figures>> {
  const turns = new Map(subjects.map(({ name }) => [name, [] as Figures[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const subject of subjects) {
      const cpu = process.cpuUsage();
      const started = performance.now();
      const count = await subject.run(started + turnMs);
      const seconds = (performance.now() - started) / 1000;
      await subject.settle?.();
      const used = process.cpuUsage(cpu);
      if (round === 0) continue;
      turns.get(subject.name)?.push({ perSecond: count / seconds, cpuMicros: (used.user + used.system) / count });
    }
  }
  return new Map(
    [...turns].map(([name, figures]) => [
      name,
      {
        perSecond: median(figures.map(({ perSecond }) => perSecond)),
        cpuMicros: median(figures.map(({ cpuMicros }) => cpuMicros)),
      },
    ]),
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The figures of a subject that was in the rounds. */
export function figuresOf(all: ReadonlyMap<string, Figures>, name: string): Figures {
  const figures = all.get(name);
  if (!figures) throw new Error(`no subject ${name} was measured`);
  return figures;
}
