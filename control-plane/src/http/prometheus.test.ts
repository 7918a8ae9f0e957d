import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startSite } from "../../test/site.ts";
import { countIngestion, countReports, createActivity } from "../monitoring/activity.ts";
import type { Fleet, Ingestion } from "../ports.ts";

test("[G18] the control plane tells its metrics to the operator, and to nobody else", async () => {
  const site = await startSite();
  const url = new URL("/metrics", site.url);
  expect((await fetch(url)).status).toBe(401);
  const token = (await readFile(join(site.home, "operator.token"), "utf8")).trim();
  const told = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  expect([told.status, told.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  const text = await told.text();
  for (const line of text.trimEnd().split("\n")) {
    expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [\d.e+-]+)$/);
  }
  expect(text).toContain('vedette_site_info{site="test"} 1\n');
  expect(text).toContain("vedette_devices_online 0\n");
  expect(text).toContain('vedette_ingest_answers_total{answer="refused"} 0\n');
  expect(text).toContain('vedette_http_answers_total{status="4xx"} 1\n');
});

test("[G18] batches are counted by what they were answered with, and reports", async () => {
  const activity = createActivity();
  const epoch = "0".repeat(16);
  const answers = [{ epoch, upTo: 1, also: [] }, { epoch, reject: 2, why: "damaged" }, { pause: 5 }];
  const inner: Ingestion = {
    async take() {
      const answer = answers.shift();
      if (!answer) throw new Error("the disk is full");
      return answer;
    },
    stored: async () => [],
    missing: async () => ({}),
    missingByReason: async () => [],
    withheld: async () => [],
  };
  const ingestion = countIngestion(inner, activity);
  for (let i = 0; i < 3; i++) await ingestion.take("a", "m", new Uint8Array(10));
  await expect(ingestion.take("a", "m", new Uint8Array(10))).rejects.toThrow("full");
  expect(activity).toMatchObject({
    batches: 4,
    batchBytes: 40,
    answers: { stored: 1, refused: 1, paused: 1, failed: 1 },
  });
  const heard: string[] = [];
  const fleet: Fleet = {
    authenticate: async () => undefined,
    open: async () => "",
    answer: async () => "",
    reported: async (agent) => void heard.push(agent),
    presence: async () => undefined,
    seen: async () => undefined,
    heartbeat: async () => undefined,
    drift: async (_, { digest, window: { epoch, n } }) => ({ digest, epoch, n }),
    shadow: async (_, { window: { epoch, n } }) => ({ epoch, n }),
    commandDone: async () => undefined,
  };
  const report = { agent: "a1" } as Parameters<Fleet["reported"]>[1];
  await countReports(fleet, activity).reported("a1", report);
  expect([heard, activity.reports]).toEqual([["a1"], 1]);
});
