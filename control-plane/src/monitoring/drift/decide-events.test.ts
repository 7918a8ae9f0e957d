import fc from "fast-check";
import { expect, test } from "vitest";
import type { Attribution } from "./attribute.ts";
import { decideEvents, type OpenEvent } from "./decide-events.ts";
import { subjectOf } from "./subjects.ts";

const bar = 8;
const device = (agent: string): Attribution => ({ scope: { kind: "device", agent }, agents: [agent] });
const york: Attribution = { scope: { kind: "cohort", label: "city", value: "york" }, agents: ["a", "b"] };
const fleet: Attribution = { scope: { kind: "fleet" }, agents: ["a", "b", "c"] };
const open = (id: number, { scope, agents }: Attribution, raisedAfter = 3): OpenEvent => ({
  id,
  scope,
  subject: subjectOf(scope),
  agents,
  raisedAfter,
});
const quiet =
  (steps: number, logE = 0) =>
  () => ({ steps, logE });

test("[Y13] what is heard for the first time opens an event; heard again it raises the one there is", () => {
  expect(decideEvents([], [device("a")], quiet(0), bar)).toMatchObject({
    opened: [device("a")],
    raised: [],
    closed: [],
  });
  const event = open(1, device("a"));
  expect(decideEvents([event], [device("a")], quiet(0), bar)).toEqual({
    opened: [],
    raised: [{ event, by: device("a") }],
    closed: [],
  });
});

test("[Y13] devices of a cohort that is known raise its event; a cohort takes over its devices' events", () => {
  const known = open(1, york);
  expect(decideEvents([known], [device("a")], quiet(0), bar)).toMatchObject({ opened: [], raised: [{ event: known }] });
  const alone = [open(1, device("a")), open(2, device("c"))];
  expect(decideEvents(alone, [york], quiet(0), bar)).toMatchObject({ opened: [york], closed: [1] });
  expect(decideEvents([open(1, york), open(2, device("c"))], [fleet], quiet(0), bar)).toMatchObject({
    opened: [fleet],
    closed: [1, 2],
  });
});

test("[Y13] an event closes when its detector was quiet for twice what its alarm took, and eight rounds at least", () => {
  const closes = (raisedAfter: number, steps: number, logE = 0) =>
    decideEvents([open(1, york, raisedAfter)], [], quiet(steps, logE), bar).closed.length === 1;
  expect([closes(3, 7), closes(3, 8), closes(10, 19), closes(10, 20)]).toEqual([false, true, false, true]);
  expect(closes(3, 8, bar / 2)).toBe(false);
  expect(decideEvents([open(1, york)], [], () => undefined, bar).closed).toEqual([]);
});

test("[Y13] whatever comes, each attribution opens or raises one event, and what is raised is not closed", () => {
  const scope = fc.constantFrom(device("a"), device("b"), device("c"), york, fleet);
  fc.assert(
    fc.property(fc.uniqueArray(scope), fc.uniqueArray(scope), fc.nat(30), fc.nat(12), (before, now, steps, logE) => {
      const events = before.map((one, id) => open(id, one));
      const { opened, raised, closed } = decideEvents(events, now, quiet(steps, logE), bar);
      expect(opened.length + raised.length).toBe(now.length);
      const greater = opened.some(({ agents }) => agents.length > 1);
      if (!greater) for (const { event } of raised) expect(closed).not.toContain(event.id);
    }),
  );
});
