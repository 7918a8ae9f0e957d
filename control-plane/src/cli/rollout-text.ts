/** A rollout as people read it: stages, cohort bars, and the evidence with its interval against the margin. Pure. */
import type { Finding } from "@vedette/protocol/rollout";
import type { Replayed, RolloutInDetail } from "@vedette/protocol/rollouts-api";
import { percent } from "../percent.ts";
import { minute } from "../utc-minute.ts";
import { nextOf, retryOf } from "./rollout-next.ts";
import { show, table } from "./table.ts";

type Member = RolloutInDetail["members"][number];

/** Devices that are waited for, in a line each. */
const mostNamed = 3;
const barWidth = 30;
const scaleWidth = 31;
/** In the order of the bar. */
const marks = {
  counted: "#",
  updating: "=",
  reverted: "!",
  failed: "x",
  timed_out: "t",
  offline: "o",
  left_out: "-",
  waiting: ".",
};

/** Of thousands of devices those that somebody has to look at stand first. */
const worstFirst: readonly string[] = [
  ...["failed", "reverted", "timed_out", "offline", "updating", "waiting", "left_out", "counted"],
];

/** Some lines, ended. @param withDevices a table of its devices, too. */
export function describeRollout(rollout: RolloutInDetail, withDevices = false): string {
  const { id, model, version, state, why, verdict, returned, leftOut } = rollout;
  const lines = [
    `Rollout ${id}: ${model} version ${version}, ${state.replaceAll("_", " ")}`,
    `  ${show(why)}`,
    ...stages(rollout),
  ];
  if (verdict) lines.push("", ...evidenceHeading(rollout), ...evidence(verdict.findings));
  if (leftOut.length > 0) {
    const first = leftOut[0];
    lines.push(
      "",
      `${leftOut.length} left out: ${first?.agent} (${show(first?.reason ?? null)})${leftOut.length > 1 ? " and others" : ""}`,
    );
  }
  if (returned && returned.of > 0) {
    const open = returned.waiting.length > 0 ? `; not yet: ${returned.waiting.slice(0, 5).join(", ")}` : "";
    lines.push("", `${returned.done} of ${returned.of} devices run the version before again${open}`);
  }
  if (withDevices && rollout.members.length > 0) lines.push("", deviceTable(rollout).trimEnd());
  // Last, so that it is seen below thousands of devices.
  const [retry, next] = [retryOf(rollout), nextOf(rollout)];
  if (retry !== null) lines.push("", retry);
  if (next !== null) lines.push("", `Next: ${next}`);
  return `${lines.join("\n")}\n`;
}

function stages(rollout: RolloutInDetail): string[] {
  const { policy, stage, stageSince, state, members, cohort, endedAt } = rollout;
  return policy.stages.flatMap((one, i) => {
    const done = state === "promoted" || i < stage;
    const later = one.approval ? "later, when it is approved" : "";
    const mark = done ? "done" : i !== stage ? later : presently(rollout);
    const line = `  ${i + 1} ${one.kind.padEnd(6)} ${percent(one.share).padStart(6)}  ${mark}`.trimEnd();
    if (i !== stage || members.length === 0) return [line];
    const ofStage = members.filter((member) => member.kind === one.kind);
    const counts = Object.entries(marks).flatMap(([name, mark]) => {
      const n = ofStage.filter((member) => member.state === name).length;
      return n === 0 ? [] : [{ told: `${n} ${name.replaceAll("_", " ")}`, mark }];
    });
    // Who counts by now counted in a stage before: a full bar would say that this one is done.
    if (stageSince === null) {
      if (counts.length === 0 || endedAt !== null) return [line];
      return [line, `    of ${cohort}, from the stages before: ${counts.map(({ told }) => told).join(", ")}`];
    }
    return [
      line,
      `    [${bar(ofStage)}] of ${cohort}: ${counts.map(({ told, mark }) => `${told} (${mark})`).join(", ") || "nobody"}`,
      ...(endedAt === null ? waitsFor(ofStage) : []),
    ];
  });
}

/** In one line, for a log: so it names who holds the stage up, and no counter that grows. */
export function rolloutLine({ id, model, version, state, why, members, endedAt }: RolloutInDetail): string {
  const counted = members.filter((member) => member.state === "counted").length;
  const told = `rollout ${id} ${model} version ${version}: ${state}, ${counted} of ${members.length} devices count: ${why}`;
  return `${told}${endedAt === null ? idle(members) : ""}`.replaceAll("\n", " ");
}

/** The one that nobody asked for longest. */
function idle(members: readonly Member[]): string {
  const unasked = members.flatMap(({ agent, asked }) => (asked?.answers === 0 ? [{ agent, since: asked.since }] : []));
  const first = unasked.toSorted((a, b) => (a.since < b.since ? -1 : 1))[0];
  return first ? `; ${first.agent} was asked nothing since ${minute(first.since)}` : "";
}

/** Who has it and does not count yet, and what is lacking. */
function waitsFor(members: readonly Member[]): string[] {
  const open = members.filter(isOpen);
  const lines = open.slice(0, mostNamed).map((member) => `    waits for ${member.agent}: ${show(whyNot(member))}`);
  return open.length > mostNamed ? [...lines, `    and for ${open.length - mostNamed} more: rollout show`] : lines;
}

function isOpen({ state }: Member): boolean {
  return state === "updating" || state === "reverted";
}

/** What the device says, and where nobody asks it, or others than the model answer, that. */
function whyNot({ reason, since, asked }: Member): string {
  const said = reason ?? `since ${minute(since)}`;
  if (!asked) return said;
  const { answers, fallbacks, reasons } = asked;
  if (answers === 0) return `${said}; it was asked nothing since ${minute(asked.since)}`;
  if (2 * fallbacks < answers) return said;
  const causes = Object.entries(reasons).toSorted(([, a], [, b]) => b - a);
  const why = causes.slice(0, 3).map(([name, n]) => `${name.replaceAll("_", " ")} ${n}`);
  const because = why.length > 0 ? ` (${why.join(", ")})` : "";
  const those = fallbacks === answers ? `all ${answers} answers` : `${fallbacks} of ${answers} answers`;
  return `${said}; ${those} since ${minute(asked.since)} came from its fallback${because}`;
}

/** Of the stage that it stands at. */
function presently({ state, stageSince, endedAt }: RolloutInDetail): string {
  const begun = stageSince !== null;
  if (endedAt !== null) return begun ? "ended here" : "ended before it began";
  if (!begun) return "next, not begun";
  return state === "paused" ? "now, paused" : "now";
}

function bar(members: RolloutInDetail["members"]): string {
  let text = "";
  let seen = 0;
  for (const [name, mark] of Object.entries(marks)) {
    seen += members.filter(({ state }) => state === name).length;
    const upTo = members.length === 0 ? 0 : Math.round((seen / members.length) * barWidth);
    text = text.padEnd(upTo, mark);
  }
  return text.padEnd(barWidth);
}

/** In the last stage there are two bodies of evidence: as it begins, the numbers begin anew. */
function evidenceHeading({ verdict, policy, stageSince }: RolloutInDetail): string[] {
  const last = policy.stages.length;
  if (verdict?.of === undefined || last === 1) return [];
  if (verdict.of === "all_stages") return ["Evidence of all stages together:"];
  const since = stageSince === null ? "" : `, since ${minute(stageSince)}`;
  return [`Evidence of the last stage, by its own pairs and labels${since} (those before may still roll back):`];
}

/** Each metric with its interval on a scale from minus to plus two margins, where `|` is no difference and `m` the margin. */
function evidence(findings: readonly Finding[]): string[] {
  const rows = findings.map((finding) => [
    finding.metric,
    finding.says.replaceAll("_", " "),
    figure(finding.estimate),
    finding.low === null && finding.high === null
      ? null
      : `${figure(finding.low) ?? "?"} to ${figure(finding.high) ?? "?"}`,
    figure(finding.margin),
    onScale(finding),
    finding.n,
    finding.more === null ? null : `about ${finding.more}`,
  ]);
  const columns = ["evidence", "says", "worse by", "interval", "margin", "0 .. margin", "n", "more"];
  const legend =
    "  = interval, * best guess, | no difference, m margin: a metric is fine once its interval is left of m";
  const drawn = findings.some((finding) => onScale(finding) !== null);
  return [...table(columns, rows).trimEnd().split("\n"), ...(drawn ? [legend] : [])];
}

function onScale({ low, high, margin, estimate }: Finding): string | null {
  if (low === null || high === null) return null;
  const place = (value: number) => {
    const at = Math.round(((value / margin + 2) / 4) * (scaleWidth - 1));
    return Math.min(scaleWidth - 1, Math.max(0, at));
  };
  const cells: string[] = Array.from({ length: scaleWidth }, (_, i) =>
    i >= place(low) && i <= place(high) ? "=" : ".",
  );
  cells[place(0)] = "|";
  cells[place(margin)] = "m";
  if (estimate !== null) cells[place(estimate)] = "*";
  return cells.join("");
}

function deviceTable({ members, policy, state, endedAt }: RolloutInDetail): string {
  // Once it is taken back a device tells of another version.
  const tells = endedAt === null || state === "promoted";
  const ordered = members.toSorted((a, b) => worstFirst.indexOf(a.state) - worstFirst.indexOf(b.state));
  const rows = ordered.map((member) => [
    ...[member.agent, member.kind, member.state.replaceAll("_", " ")],
    tells ? `${Math.min(member.served, policy.served)}/${policy.served}` : null,
    ...[member.since, member.asked ? whyNot(member) : member.reason],
  ]);
  return table(["device", "as", "state", "served", "since", "why"], rows);
}

/** What was, what would have been, and a line for each decision. */
export function describeReplay({ id, was, would, decisions, limits }: Replayed): string {
  const rows = decisions.map(({ at, action, detail }) => {
    const agents = Array.isArray(detail.agents) ? devices(detail.agents.length) : null;
    return [
      at,
      action.replace("rollout.", ""),
      typeof detail.stage === "number" ? detail.stage : null,
      String(detail.why ?? agents ?? ""),
    ];
  });
  const ended = (one: { state: string; endedAt: string | null }) =>
    `${one.state.replaceAll("_", " ")}${one.endedAt ? ` at ${one.endedAt}` : ""}`;
  const notes = limits.map((limit) => `Note: ${limit}.\n`).join("");
  return `Rollout ${id} was ${ended(was)}; by this policy it would be ${ended(would)}:\n  ${show(would.why)}\n\n${table(["at", "decision", "stage", "why"], rows)}\n${notes}`;
}

function devices(n: number): string {
  return n === 1 ? "1 device" : `${n} devices`;
}

function figure(value: number | null): string | null {
  return value === null ? null : String(Number(value.toPrecision(3)));
}
