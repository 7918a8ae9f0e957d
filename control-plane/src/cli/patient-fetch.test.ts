import { createServer } from "node:http";
import { expect, test } from "vitest";
import { listenLocally } from "../../test/listen.ts";
import { createApiClient } from "./api-client.ts";
import { patient } from "./patient-fetch.ts";

test("an answer without an end is not read to the end of memory", async () => {
  let sent = 0;
  const server = createServer((request, response) => {
    if (request.url === "/short") return void response.end("short");
    const chunk = Buffer.alloc(64 * 1024, " ");
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  const url = await listenLocally(server);
  const short = await patient(`${url}/short`);
  expect([short.status, short.ok, await short.text()]).toEqual([200, true, "short"]);
  await expect((await patient(url)).json()).rejects.toMatchObject({ code: "too_large" });
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test("an answer that is cut short is that of a control plane that is away", async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("{", () => response.destroy());
  });
  const api = createApiClient(await listenLocally(server), { text: "nobody", from: "a test" });
  await expect(api.rollout(1)).rejects.toMatchObject({
    code: "offline",
    message: expect.stringContaining("cut its answer"),
  });
});
