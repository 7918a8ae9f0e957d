/**
 * Every alert that there is, and the page of docs/runbooks that says what to do about it. Receivers see the names as
 * `alertname`; they are never given another meaning.
 */
export const alertCatalogue = {
  VedetteDeviceGone: { runbook: "device-gone", about: "a device is silent" },
  VedetteFleetGone: { runbook: "fleet-gone", about: "at least half of the devices went silent" },
  VedetteVersionRejected: { runbook: "version-rejected", about: "devices reject a version that they should run" },
  VedetteFallbackRate: { runbook: "fallback-rate", about: "many answers of a model come from its fallback" },
  VedettePredictionsMissing: { runbook: "predictions-missing", about: "predictions were answered and are lost" },
  VedetteMetadataExpiring: { runbook: "expired-metadata", about: "signed metadata run out" },
  VedetteReleaseStopped: { runbook: "release-stopped", about: "a version that should go out by itself does not" },
  VedetteDiskLow: { runbook: "disk-low", about: "the control plane's disk fills up" },
  VedetteReceiverFailing: { runbook: "receiver-failing", about: "a receiver of alerts takes none" },
  VedetteDrift: { runbook: "drift", about: "a model's inputs or outputs are not what it was trained on" },
  VedettePerformanceDropped: { runbook: "performance-dropped", about: "labels say that a model got worse" },
  VedetteWatchSilent: { runbook: "watch-silent", about: "nothing comes of a server that is watched" },
  VedetteRolloutRolledBack: { runbook: "rollout-rolled-back", about: "a rollout was rolled back by its evidence" },
  VedetteRolloutAborted: { runbook: "rollout-aborted", about: "a rollout's version may not be released any more" },
  VedetteRolloutPaused: { runbook: "rollout-paused", about: "a rollout stands still until somebody resumes it" },
  VedetteRolloutApproval: { runbook: "rollout-approval", about: "a rollout waits for an approval" },
  VedetteRolloutUndecided: { runbook: "rollout-undecided", about: "a stage has long had too little evidence" },
  VedetteRolloutStuck: {
    runbook: "rollout-stuck",
    about: "a rollout, or an arm of an experiment, has no device to go on with",
  },
  VedetteGateFailed: { runbook: "gate-failed", about: "a new version did not pass the gate" },
  VedetteOverrideEnding: { runbook: "override-ending", about: "a failed version is let pass for not much longer" },
} as const;

export type AlertName = keyof typeof alertCatalogue;
export const alertNames = Object.keys(alertCatalogue) as readonly AlertName[];

/** Pages that an alert leads to, without `.md`. */
export const runbookPages: ReadonlySet<string> = new Set(Object.values(alertCatalogue).map(({ runbook }) => runbook));
