/** The baseline that any benchmark of delays needs: it alarms every hundred rows, whatever they are. */
import type { Detector } from "./detector.ts";

export const alwaysFire: Detector = {
  name: "always-fire",
  title: "always fires, every 100 rows",
  usesReference: false,
  threshold: () => 1,
  async run() {
    return [[99, 1]];
  },
  async close() {},
};
