import { expect, test } from "vitest";
import { startSite } from "../../test/site.ts";

test("openapi.json is what the API says of itself: `npm run openapi --workspace control-plane` writes it anew", async () => {
  const site = await startSite();
  const { body } = await site.call("GET", "/openapi.json");
  await expect(`${JSON.stringify(body, null, 2)}\n`).toMatchFileSnapshot("../../openapi.json");
});
