import { expect, test } from "vitest";
import { startSite } from "../../test/site.ts";

test("openapi.json is what the API says of itself: `npm run openapi --workspace control-plane` writes it anew", async () => {
  const site = await startSite();
  const { status, body } = await site.call("GET", "/openapi.json");
  expect(status).toBe(200);
  expect(body).toHaveProperty("paths");
  await expect(`${JSON.stringify(body, null, 2)}\n`).toMatchFileSnapshot("../../openapi.json");
});
