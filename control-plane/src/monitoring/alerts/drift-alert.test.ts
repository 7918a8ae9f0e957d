import { expect, test } from "vitest";
import { driftAlert } from "./drift-alert.ts";

test("[Z21] drift that harms pages, drift of which nobody knows warns, and benign drift informs: one alert, whatever is known", () => {
  const found = {
    model: "rain",
    version: 2,
    where: { agent: "gauge-1" },
    fields: ["wind"],
    detail: "Since noon.",
    key: "k",
  };
  const alerts = (["unknown", "harmful", "benign"] as const).map((harm) => driftAlert({ ...found, harm }));
  expect(alerts.map(({ severity }) => severity)).toEqual(["warning", "critical", "info"]);
  expect(new Set(alerts.map(({ labels }) => JSON.stringify(labels))).size).toBe(1);
  expect(alerts[1]).toMatchObject({
    name: "VedetteDrift",
    labels: { model: "rain", version: "2", agent: "gauge-1" },
    annotations: {
      summary: "rain is asked what it was not trained on: wind",
      description: expect.stringContaining("got worse"),
    },
  });
});
