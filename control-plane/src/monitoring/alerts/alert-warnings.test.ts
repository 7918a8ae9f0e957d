import type { Severity } from "@vedette/protocol/alerts-api";
import { expect, test } from "vitest";
import type { AlertRecord } from "../../db/records.ts";
import { alertWarnings } from "./alert-warnings.ts";

let id = 0;
const alert = (severity: Severity, quietSince: number | null = null): AlertRecord => ({
  ...{ id: ++id, name: "VedetteDiskLow", fingerprint: `${id}`, key: `${id}`, labels: {}, annotations: {} },
  ...{ state: "firing", severity, startsAt: 1, changedAt: 1, quietSince, endsAt: null, ack: null },
});

test("[Z24] what fires is counted, the worst first; what is quiet by now, or an info, is not", () => {
  expect(alertWarnings([alert("warning"), alert("critical"), alert("warning"), alert("warning", 5)])).toEqual([
    "alerts fire (1 critical, 2 warning): vedette alert list",
  ]);
  expect(alertWarnings([alert("critical", 5), alert("info")])).toEqual([]);
});
