import { expect, test } from "vitest";
import { runCaptured } from "../../test/run-captured.ts";
import { enroll, initialiseTrust, startSite } from "../../test/site.ts";

test("[R61] a long reason is told to its end: in one line where it is piped, broken between words on a terminal", async () => {
  const site = await startSite();
  await initialiseTrust(site);
  await enroll(site, "gauge-1");
  const reason = `${"it was seen in another van than ours and ".repeat(5)}nobody knows why`;
  const audit = (...over: object[]) => {
    const flags = ["--home", site.home, "--url", site.url];
    return runCaptured(["audit", "list", "--subject", "gauge-1", "--limit", "1", ...flags], Object.assign({}, ...over));
  };
  expect(await site.call("POST", "/v1/devices/gauge-1/revoke", { reason })).toMatchObject({ status: 200 });
  const piped = (await audit({ columns: () => 80 })).out;
  expect(piped.split("\n")).toHaveLength(3);
  expect(piped).toContain(reason);
  for (const columns of [60, 80, 120]) {
    const { out } = await audit({ screen: true, columns: () => columns });
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(Math.max(columns, 80));
    expect(out.replaceAll(/\s+/g, " ")).toContain(reason);
  }
});
