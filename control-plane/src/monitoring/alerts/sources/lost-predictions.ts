/**
 * Predictions that were answered and never come: the count grew within the last hour. What was counted so far is noted in the
 * database, so that losses told during a restart are seen, too. What a policy leaves out on purpose is no loss.
 */
import { z } from "zod";
import type { Database } from "../../../db/database.ts";
import type { Clock, Ingestion } from "../../../ports.ts";
import type { AlertSource } from "../watch-sources.ts";

const calmAfterMs = 3_600_000;
const onPurpose: readonly string[] = ["unanswered", "sampled"];
/** By model and reason: how many, and when they last grew (UTC ms; null: not since this was noted first). */
const notes = z.record(z.string(), z.object({ lost: z.number(), grewAt: z.number().nullable() }));
const note = "note:lost-predictions" as const;

export function lostPredictions(ports: {
  missing: Ingestion["missingByReason"];
  settings: Database["settings"];
  clock: Clock;
}): AlertSource {
  const { missing, settings, clock } = ports;
  return {
    names: ["VedettePredictionsMissing"],
    async look() {
      const now = clock.now();
      const kept = await settings.read(note);
      const before = kept === undefined ? undefined : notes.parse(JSON.parse(kept));
      const counted = (await missing()).filter(({ reason }) => !onPurpose.includes(reason));
      const after: z.infer<typeof notes> = {};
      const names = new Map<string, { model: string; reason: string }>();
      for (const { model, reason, predictions } of counted) {
        const key = `predictions-missing/${model}/${reason}`;
        names.set(key, { model, reason });
        const sum = (after[key]?.lost ?? 0) + predictions;
        after[key] = { lost: sum, grewAt: null };
      }
      for (const [key, one] of Object.entries(after)) {
        const last = before?.[key];
        // The first look of a control plane finds what operators know already.
        const grew = before !== undefined && one.lost > (last?.lost ?? 0);
        after[key] = { lost: one.lost, grewAt: grew ? now : (last?.grewAt ?? null) };
      }
      const text = JSON.stringify(after);
      if (text !== kept) await settings.write(note, text);
      const wrong = Object.entries(after).flatMap(([key, { grewAt }]) => {
        const of = names.get(key);
        if (!of || grewAt === null || now - grewAt >= calmAfterMs) return [];
        return [
          {
            name: "VedettePredictionsMissing" as const,
            severity: "warning" as const,
            labels: { ...of },
            annotations: {
              summary: `Predictions of ${of.model} are lost: ${of.reason}`,
              description:
                "They were answered on their devices, and will never reach the lake: vedette prediction counts",
            },
            key,
          },
        ];
      });
      return { wrong };
    },
  };
}
