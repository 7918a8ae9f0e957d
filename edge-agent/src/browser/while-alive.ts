/** Calls to something that may die: what is under way when it does fails then, and what comes after at once. */

export interface WhileAlive {
  /** As the work ends, or with the reason of the death where that comes first. */
  within<T>(work: () => Promise<T>): Promise<T>;
  died(why: Error): void;
}

export function createWhileAlive(): WhileAlive {
  /** Of the calls under way only: a race against one lasting promise would keep every answer there ever was. */
  const underWay = new Set<(why: Error) => void>();
  let death: Error | undefined;
  return {
    within: (work) =>
      new Promise((resolve, reject) => {
        if (death) return reject(death);
        underWay.add(reject);
        work()
          .then(resolve, reject)
          .finally(() => underWay.delete(reject));
      }),
    died(why) {
      death ??= why;
      for (const reject of underWay) reject(death);
      underWay.clear();
    },
  };
}
