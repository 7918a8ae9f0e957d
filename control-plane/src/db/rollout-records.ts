/** A rollout and its members as the database keeps them and the engine (release/rollouts) decides on them. Times are UTC ms. */
import type { ExperimentPlan } from "@vedette/protocol/experiment";
import type { MemberState, RolloutPolicy, RolloutState, RolloutVerdict, Stage } from "@vedette/protocol/rollout";
import type { Split } from "@vedette/protocol/split";

type StageKind = Stage["kind"];
/** In an experiment a device answers by the candidate (canary), by the incumbent (control), or by either (split). */
export type MemberKind = StageKind | "control" | "split";

/** One device of a rollout. Once a member it stays one until the rollout is over. */
export interface Member {
  readonly agent: string;
  /** What its cohort makes of it. */
  readonly kind: MemberKind;
  /** What the director assigns beyond the standing rules; null: nothing. Differs from `kind` while it waits to be taken. */
  readonly given: MemberKind | null;
  /** When the cohort took it in. Who comes after its stage began is not waited for. */
  readonly joinedAt: number;
  /** When its time, which was over, began once more: like for one that comes late, no stage that had begun waits for it. */
  readonly retakenAt: number | null;
  readonly state: MemberState;
  /** Of the state. */
  readonly since: number;
  /** When it was given what its kind says, and its time began: taken again within that time it keeps it. */
  readonly takenAt: number | null;
  /** Revision of its assignment before that: what it reports of this one or an earlier one is of an earlier attempt. */
  readonly takenRev: number;
  /** It has shown that it follows. */
  readonly reached: boolean;
  /** Why it is in this state, for people. */
  readonly reason: string | null;
}

/** What limits how fast devices are taken has to remember of the past. */
export interface RampState {
  /** When the first hour began; null before the first device. */
  readonly from: number | null;
  /** When devices were taken, oldest first; only kept as far back as the ramp looks. */
  readonly takings: readonly number[];
}

/** In which nobody looked at rollouts: the control plane was down, say. UTC ms. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

export interface Rollout {
  readonly id: number;
  readonly model: string;
  readonly version: number;
  /** Of the candidate: sha256 of its manifest, hex. */
  readonly digest: string;
  /** Orders the devices, differently in each rollout. */
  readonly salt: string;
  readonly policy: RolloutPolicy;
  /** Null: it is a release. Of an experiment the members are in arms, drawn once, and it is never promoted by itself. */
  readonly experiment: ExperimentPlan | null;
  readonly state: RolloutState;
  /** Place in `policy.stages`. */
  readonly stage: number;
  /** Null: the stage has not begun. */
  readonly stageSince: number | null;
  /** Stages that an operator approved. */
  readonly approvals: readonly number[];
  readonly ramp: RampState;
  readonly pausedAt: number | null;
  /** From when on it is measured for how long a stage is undecided. */
  readonly undecidedFrom: number | null;
  /** Since the stage began: its limits of time are of time in which somebody looked. */
  readonly outages: readonly Outage[];
  /** The last one. */
  readonly verdict: RolloutVerdict | null;
  /** Why it stands where it stands, for people. */
  readonly why: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly endedAt: number | null;
  readonly members: ReadonlyMap<string, Member>;
}

/** What the director adds to the standing rules for one device. */
export interface Overlay {
  readonly agent: string;
  readonly model: string;
  readonly version: number;
  readonly kind: MemberKind;
  /** Share of the predictions that both versions are asked; null: none is. */
  readonly sample: number | null;
  /** Whom the candidate answers, where the kind is split. */
  readonly split?: Split | undefined;
}
