/** Which models there are, what the server refuses, how much it takes at once, and how it ends. */
import { request as httpRequest } from "node:http";
import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import { answered, call, infer, post, scripted, start, x } from "../../../test/node/scripted-server.ts";

test("says what it is, that it lives, and which models there are", async () => {
  expect((await call("/v2")).body).toMatchObject({
    name: "vedette",
    extensions: expect.arrayContaining(["binary_tensor_data"]),
  });
  expect((await call("/v2/health/live")).body).toEqual({ live: true, ready: true });
  expect(await call("/v2/health/ready")).toMatchObject({ status: 200, body: { live: true, ready: true } });
  expect((await call("/v2/models")).body).toEqual({ models: ["rain"] });
  expect((await post("/v2/repository/index", {})).body).toEqual([
    { name: "rain", version: "7", state: "READY", reason: "" },
  ]);
});

test("tells a model's signature, with and without its version", async () => {
  const { body } = await call("/v2/models/rain");
  expect(body).toEqual({
    name: "rain",
    versions: ["7"],
    platform: "onnx_onnxv1",
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
    outputs: [
      { name: "label", datatype: "INT64", shape: [-1] },
      { name: "scores", datatype: "FP32", shape: [-1, 3] },
    ],
  });
  expect((await call("/v2/models/rain/versions/7")).body).toEqual(body);
  expect((await call("/v2/models/rain/ready")).body).toEqual({ name: "rain", ready: true });
  expect((await call("/v2/models/rain/versions/6")).status).toBe(404);
});

test("what is not JSON, and a header length beyond the body, are 400", async () => {
  const path = "/v2/models/rain/infer";
  expect(await call(path, { method: "POST", body: "{" })).toMatchObject({ status: 400, body: { error: /not JSON/ } });
  const headers = { "Inference-Header-Content-Length": "99999" };
  expect((await call(path, { method: "POST", body: "{}", headers })).status).toBe(400);
});

test("unknown models, paths and extensions, and wrong methods", async () => {
  expect(await post("/v2/models/snow/infer", {})).toMatchObject({
    status: 404,
    body: { error: expect.stringContaining("rain") },
  });
  expect((await call("/v3")).status).toBe(404);
  expect((await call("/v2/models/rain/nonsense")).status).toBe(404);
  expect((await call("/v2/models/rain/infer")).status).toBe(405);
  const classification = { inputs: [x([1, 2])], outputs: [{ name: "scores", parameters: { classification: 2 } }] };
  expect((await infer(classification)).status).toBe(501);
  const zipped = await call("/v2/models/rain/infer", {
    method: "POST",
    body: "x",
    headers: { "content-encoding": "gzip" },
  });
  expect(zipped.status).toBe(415);
});

test("[O2] a model with no version is known, not ready, and has no answer; the agent is asked, and the answer has an id", async () => {
  scripted.models = [{ name: "rain", version: null, manifest: null }];
  const none = answered(5, { source: "none", reason: "no_model", label: null, confidence: null, scores: null });
  scripted.predict = async (request) => {
    scripted.asked.push(request);
    return { model: "rain", digest: null, release: null, answers: [none] };
  };
  expect(await call("/v2/models/rain/ready")).toMatchObject({ status: 503, body: { name: "rain", ready: false } });
  expect((await call("/v2/models/rain")).status).toBe(503);
  expect(await infer({ inputs: [x([1, 2])] })).toMatchObject({
    status: 503,
    body: {
      parameters: {
        source: "none",
        reason: "no_model",
        vedette_id: none.id,
        vedette_source: "none",
        vedette_reason: "no_model",
      },
    },
  });
  expect(scripted.asked).toHaveLength(1);
  expect((await call("/v2/health/ready")).status).toBe(200);
});

test("the agent's own refusals keep their words; its failures do not leak", async () => {
  scripted.predict = async () => {
    throw new VedetteError("invalid_input", "field wind is required");
  };
  expect(await infer({ inputs: [x([1, 2])] })).toMatchObject({
    status: 400,
    body: { error: "field wind is required" },
  });
  scripted.predict = async () => {
    throw new Error("secret detail");
  };
  const failed = await infer({ inputs: [x([1, 2])] });
  expect(failed.status).toBe(500);
  expect(failed.body.error).not.toContain("secret");
});

test("a body over the limit is refused, said beforehand or not", async () => {
  const big = Buffer.alloc(8 * 1024 * 1024 + 1, 32);
  expect((await call("/v2/models/rain/infer", { method: "POST", body: big })).status).toBe(413);
  const status = await new Promise((resolve, reject) => {
    const request = httpRequest(`${scripted.server.url}/v2/models/rain/infer`, { method: "POST" }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
    request.write(big);
    request.end();
  });
  expect(status).toBe(413);
});

test("an object nested deeper than the stack is the client's fault", async () => {
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  const body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[${deep}]}]}`;
  const answer = await fetch(`${scripted.server.url}/v2/models/rain/infer`, { method: "POST", body });
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("value 0 is an object")]);
});

test("more than the agent can take at once is shed with Retry-After, and the rest answered", async () => {
  await scripted.server.close();
  scripted.server = await start({ maxInFlight: 2 });
  const gate = Promise.withResolvers<void>();
  const plain = scripted.predict;
  scripted.predict = async (request) => {
    await gate.promise;
    return plain(request);
  };
  const calls = Array.from({ length: 3 }, () => infer({ inputs: [x([1, 2])] }));
  const first = await Promise.race(calls);
  expect(first.status).toBe(429);
  expect(first.headers.get("retry-after")).toBe("1");
  gate.resolve();
  expect((await Promise.all(calls)).map(({ status }) => status).sort()).toEqual([200, 200, 429]);
});

test("requests that never end shut nobody out, and hold bounded memory together", async () => {
  await scripted.server.close();
  scripted.server = await start({ maxInFlight: 4, maxHeldBytes: 300_000 });
  const unfinished = Array.from({ length: 20 }, () => {
    const request = httpRequest(`${scripted.server.url}/v2/models/rain/infer`, {
      method: "POST",
      headers: { "content-length": 1_000_000 },
    });
    const refused = new Promise<number | undefined>((resolve) => {
      request.on("response", (response) => resolve(response.resume().statusCode)).on("error", () => resolve(undefined));
    });
    request.write(Buffer.alloc(200_000, 32));
    return { request, refused };
  });
  expect(await Promise.race(unfinished.map(({ refused }) => refused))).toBe(429);
  expect((await infer({ inputs: [x([1, 2])] })).status).toBe(200);
  for (const { request } of unfinished) request.destroy();
  const large = { inputs: [x(Array<number>(40_000).fill(1.25), { shape: [20_000, 2] })] };
  await expect.poll(async () => (await infer({ ...large, id: "x".repeat(200) })).status).toBe(400);
});

test("more rows than one request may have are refused, and so are long names, in few words", async () => {
  const rows = await infer({ inputs: [x(Array<number>(8194).fill(1), { shape: [4097, 2] })] });
  expect([rows.status, rows.body.error]).toEqual([400, expect.stringContaining("split it, 4096 rows at most")]);
  expect((await infer({ inputs: [x(Array<number>(8192).fill(1), { shape: [4096, 2] })] })).status).toBe(200);
  for (const name of ["n".repeat(1_000_000), "x"]) {
    const outputs = [{ name: "o".repeat(1_000_000) }];
    const refused = await infer({ inputs: [x([1, 2], { name })], outputs });
    expect(refused.status).toBe(400);
    expect(refused.body.error.length).toBeLessThan(300);
  }
});

test("any host but loopback needs a key; with one, only health is open", async () => {
  await expect(start({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "unauthenticated" });
  await scripted.server.close();
  scripted.server = await start({ host: "127.0.0.2", apiKey: "s3cret" });
  expect((await call("/v2/health/ready")).status).toBe(200);
  expect((await call("/v2/models")).status).toBe(401);
  expect((await call("/v2/models", { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
  expect((await call("/v2/models", { headers: { authorization: "Bearer s3cret" } })).status).toBe(200);
  expect((await call("/v2/models", { headers: { "x-api-key": "s3cret" } })).status).toBe(200);
});

test("a page of another origin is refused where there is no key", async () => {
  expect((await post("/v2/models/rain/infer", { inputs: [x([1, 2])] }, { origin: "http://evil.example" })).status).toBe(
    403,
  );
  expect(scripted.asked).toEqual([]);
});

test("a taken port is said as such", async () => {
  await expect(start({ port: scripted.server.port })).rejects.toMatchObject({ code: "conflict" });
});

test("closing answers what is under way, and then is gone", async () => {
  const gate = Promise.withResolvers<void>();
  const plain = scripted.predict;
  scripted.predict = async (request) => {
    await gate.promise;
    return plain(request);
  };
  const underWay = infer({ inputs: [x([1, 2])] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closing = scripted.server.close();
  gate.resolve();
  expect((await underWay).status).toBe(200);
  await closing;
  await expect(call("/v2")).rejects.toThrow();
  scripted.server = await start();
});
