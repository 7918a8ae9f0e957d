import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LifeEvent, maxStarts, noPins, type Pins, pinned, step, transitions } from "./life-cycle.ts";

const digestOf = (i: number) => String(i).repeat(64);
const version = (i: number) => ({ digest: digestOf(i), release: i, length: 100 });
const run = (events: LifeEvent[], from: Pins = noPins) => events.reduce((pins, event) => step(pins, event, 5), from);
const installed = (i: number, rev: number): LifeEvent[] => [
  { kind: "assigned", version: version(i), rev },
  { kind: "fetched" },
  { kind: "started" },
  { kind: "proved", forgiven: false },
  { kind: "passed", served: 20 },
];

describe("life cycle", () => {
  it("takes a version from absent to serving, and the one before to previous", () => {
    const pins = run([...installed(1, 1), ...installed(2, 2)]);
    expect(pins.serving).toEqual({ ...version(2), served: 20 });
    expect(pins.previous?.digest).toBe(digestOf(1));
    expect(pins.candidate).toBeNull();
    expect(run(installed(3, 3), pins).previous?.digest).toBe(digestOf(2));
  });

  it("[V5] remembers a rejected version until a higher revision assigns it anew", () => {
    const rejected = run([
      { kind: "assigned", version: version(1), rev: 4 },
      { kind: "failed", reason: "proof_failed" },
    ]);
    expect(rejected.candidate).toMatchObject({ state: "rejected", reason: "proof_failed" });
    expect(step(rejected, { kind: "assigned", version: version(1), rev: 4 }, 6)).toBe(rejected);
    const other = run([{ kind: "assigned", version: version(2), rev: 5 }], rejected);
    expect(run([{ kind: "assigned", version: version(1), rev: 4 }], other).candidate?.state).toBe("rejected");
    expect(run([{ kind: "assigned", version: version(1), rev: 6 }], other).candidate?.state).toBe("fetching");
  });

  it("[V4] rejects a candidate that started three times and never reached the end of probation", () => {
    let pins = run(installed(2, 2).slice(0, 4), run(installed(1, 1)));
    for (let i = 1; i < maxStarts; i++) pins = run([{ kind: "started" }, { kind: "proved", forgiven: false }], pins);
    expect(pins.candidate).toMatchObject({ state: "probation", starts: maxStarts });
    const looped = step(pins, { kind: "started" }, 9);
    expect(looped.candidate).toMatchObject({ state: "rejected", reason: "crash_loop" });
    expect(looped.serving?.digest).toBe(digestOf(1));
    const reloaded = step(pins, { kind: "proved", forgiven: true }, 9);
    expect(step(reloaded, { kind: "started" }, 9).candidate).toMatchObject({ state: "probation", starts: 1 });
    const stopped = run([{ kind: "stopped", served: 7 }, { kind: "started" }], pins);
    expect(stopped.candidate?.state).toBe("probation");
  });

  it("[A17] tries the only version that there is on, however often its processes died", () => {
    let pins = run(installed(1, 1).slice(0, 2));
    for (let i = 0; i < 3 * maxStarts; i++)
      pins = run([{ kind: "started" }, { kind: "proved", forgiven: false }], pins);
    expect(pins.candidate).toMatchObject({ state: "probation", starts: 3 * maxStarts });
    expect(run([{ kind: "passed", served: 20 }], pins).serving).toEqual({ ...version(1), served: 20 });
  });

  it("keeps what answered on probation when it is withdrawn, so that its rules answer on", () => {
    const trial = run([
      { kind: "assigned", version: version(1), rev: 1 },
      { kind: "fetched" },
      { kind: "started" },
      { kind: "proved", forgiven: false },
      { kind: "unassigned" },
    ]);
    expect(trial).toMatchObject({ serving: null, candidate: null, previous: { digest: digestOf(1) } });
  });

  it("[S8] lets nothing under the floor serve", () => {
    const pins = run([...installed(1, 1), ...installed(2, 2)]);
    expect(step(pins, { kind: "floor", release: 2 }, 9)).toMatchObject({ serving: version(2), previous: null });
    expect(step(pins, { kind: "floor", release: 3 }, 9)).toMatchObject({ serving: null, previous: null });
    const back = run(installed(1, 3), run([...installed(1, 1), ...installed(2, 2)]));
    expect(step(back, { kind: "floor", release: 2 }, 9)).toMatchObject({ serving: version(2), previous: null });
  });

  it("returns to the previous version when the serving one breaks", () => {
    const pins = run([...installed(1, 1), ...installed(2, 2)]);
    const broken = step(pins, { kind: "broken", reason: "proof_failed", rev: 2 }, 9);
    expect(broken).toMatchObject({ serving: version(1), previous: null });
    expect(run([{ kind: "assigned", version: version(2), rev: 2 }], broken).candidate?.state).toBe("rejected");
    const damaged = step(pins, { kind: "broken", reason: null, rev: 2 }, 9);
    expect(run([{ kind: "assigned", version: version(2), rev: 2 }], damaged).candidate?.state).toBe("fetching");
  });

  it("[V13] returns from a serving version that does harm, where there is one to return to, and says why", () => {
    const tripped: LifeEvent = { kind: "tripped", reason: "exceptions", why: "it threw five times", rev: 2 };
    const pins = run([...installed(1, 1), ...installed(2, 2), tripped]);
    expect(pins).toMatchObject({
      serving: version(1),
      previous: null,
      candidate: { ...version(2), state: "rejected", reason: "exceptions", why: "it threw five times" },
    });
    expect(run([{ kind: "assigned", version: version(2), rev: 2 }], pins)).toBe(pins);
    expect(run([{ kind: "assigned", version: version(2), rev: 3 }], pins).candidate?.state).toBe("fetching");
    const only = run(installed(1, 1));
    expect(step(only, tripped, 9)).toBe(only);
  });

  it("[V14] returns from a serving version whose processes never live, and counts none that lived or stopped", () => {
    const booted: LifeEvent = { kind: "booted", rev: 2 };
    const both = run([...installed(1, 1), ...installed(2, 2)]);
    const thrice = run([booted, booted, booted], both);
    expect(thrice.serving).toMatchObject({ ...version(2), starts: maxStarts });
    expect(step(thrice, booted, 9)).toMatchObject({
      serving: version(1),
      candidate: { ...version(2), state: "rejected", reason: "crash_loop" },
    });
    for (const life of [{ kind: "lived" }, { kind: "stopped", served: 30 }] as const) {
      expect(run([life, booted, booted, booted], thrice).serving).toMatchObject({ ...version(2), starts: maxStarts });
    }
    // With none before it, trying on is all there is.
    const only = run([...installed(1, 1), booted, booted, booted, booted, booted]);
    expect(only).toMatchObject({ serving: version(1), candidate: null });
  });

  const anyEvent: fc.Arbitrary<LifeEvent> = fc.oneof(
    fc.record({
      kind: fc.constant("assigned" as const),
      version: fc.integer({ min: 1, max: 4 }).map(version),
      rev: fc.integer({ min: 0, max: 6 }),
    }),
    fc.constantFrom<LifeEvent>(
      { kind: "unassigned" },
      { kind: "fetched" },
      { kind: "lost" },
      { kind: "started" },
      { kind: "proved", forgiven: false },
      { kind: "passed", served: 20 },
      { kind: "stopped", served: 3 },
      { kind: "failed", reason: "proof_failed" },
      { kind: "failed", reason: "exceptions" },
      { kind: "booted", rev: 3 },
      { kind: "lived" },
      { kind: "tripped", reason: "exceptions", why: "it threw", rev: 3 },
      { kind: "broken", reason: null, rev: 3 },
      { kind: "broken", reason: "model_failed", rev: 3 },
    ),
    fc.integer({ min: 0, max: 5 }).map((release): LifeEvent => ({ kind: "floor", release })),
  );

  it("[V6] keeps its promises over any events", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
        let pins = noPins;
        for (const event of events) {
          const before = pins;
          pins = step(pins, event, 5);
          const served = before.serving?.digest;
          // A serving version appears only by passing probation, or because the one after it went.
          if (pins.serving && pins.serving.digest !== served) {
            const passed = event.kind === "passed" && before.candidate?.state === "probation";
            const fellBack = pins.serving.digest === before.previous?.digest;
            expect(passed ? before.candidate?.digest : fellBack && before.previous?.digest).toBe(pins.serving.digest);
          }
          // What serves is taken away only by these.
          if (served && !pins.serving) expect(["unassigned", "broken", "floor"]).toContain(event.kind);
          // A candidate moves only along the table.
          const [from, to] = [before.candidate, pins.candidate];
          if (from && to && from.digest === to.digest && from.state !== to.state && event.kind in transitions) {
            const allowed = (transitions as Record<string, Record<string, string>>)[event.kind]?.[from.state];
            expect([allowed, "rejected"]).toContain(to.state);
          }
          if (to && (pins.serving ?? pins.previous)) expect(to.starts).toBeLessThanOrEqual(maxStarts);
          if (to?.state === "rejected") expect(pins.rejected.some((each) => each.digest === to.digest)).toBe(true);
          expect(pinned(pins).length).toBeLessThanOrEqual(3);
          if (event.kind === "floor") {
            for (const pin of [pins.serving, pins.previous]) {
              if (pin) expect(pin.release).toBeGreaterThanOrEqual(event.release);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
