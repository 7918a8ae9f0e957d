import { driftState, driftWindows } from "@vedette/protocol/drift-api";
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { initialiseTrust, publish, startSite } from "../../test/site.ts";

test("a site that no window has reached says so, by model and version", async () => {
  const site = await startSite();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [makeBundle("rain", "one")]);
  for (const path of ["/v1/drift", "/v1/drift?model=rain&version=1"]) {
    const { status, body } = await site.call("GET", path);
    expect([status, driftState.parse(body)]).toMatchObject([200, { versions: [], events: [] }]);
  }
  const { body } = await site.call("GET", "/v1/drift/windows?model=rain&limit=5");
  expect(driftWindows.parse(body)).toEqual({ windows: [] });
});

test("what does not fit is refused, and who has no token", async () => {
  const site = await startSite();
  for (const query of ["?model=No%20Model", "?version=0", "?version=x"])
    expect((await site.call("GET", `/v1/drift${query}`)).status).toBe(400);
  expect((await site.call("GET", "/v1/drift/windows?limit=-1")).status).toBe(400);
  expect((await fetch(new URL("/v1/drift", site.url))).status).toBe(401);
});
