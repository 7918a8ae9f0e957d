/** Runs one piece of work at a time, in the order of asking: a decision must not see the half of another. */
export type Serial = <T>(work: () => Promise<T>) => Promise<T>;

/** A failed piece rejects for its own asker only. */
export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
