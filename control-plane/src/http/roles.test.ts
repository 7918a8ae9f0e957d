import type { OperatorRole } from "@vedette/protocol/api";
import { operatorToken, tokenList } from "@vedette/protocol/api";
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { enroll, initialiseTrust, publish, type Site, startSite } from "../../test/site.ts";
import { openPaths } from "./enrollment.ts";
import { leastRole } from "./roles.ts";

/** Routes with the least role that each needs. */
const expected: Record<string, OperatorRole> = {
  "GET /v1/trust": "viewer",
  "PUT /v1/trust/metadata": "operator",
  "POST /v1/trust/online-keys": "admin",
  "GET /v1/trust/metadata/{file}": "viewer",
  "POST /v1/blobs/missing": "viewer",
  "GET /v1/blobs/{sha256}": "viewer",
  "PUT /v1/blobs/{sha256}": "operator",
  "GET /v1/models": "viewer",
  "POST /v1/models/{model}/versions": "operator",
  "GET /v1/models/{model}/versions/{version}/signature": "viewer",
  "POST /v1/assignments": "operator",
  "POST /v1/enrollment-tokens": "operator",
  "GET /v1/enrollment-tokens": "viewer",
  "POST /v1/enrollment-tokens/{id}/revoke": "operator",
  "GET /v1/devices": "viewer",
  "POST /v1/devices/{agent}/revoke": "operator",
  "POST /v1/devices/{agent}/approve": "operator",
  "GET /v1/production": "viewer",
  "POST /v1/predictions/query": "viewer",
  "POST /v1/predictions/flush": "viewer",
  "GET /v1/predictions/counts": "viewer",
  "GET /v1/predictions/retention": "viewer",
  "PUT /v1/predictions/retention": "admin",
  "POST /v1/predictions/erasures": "admin",
  "GET /v1/predictions/erasures": "viewer",
  "POST /v1/predictions/export": "viewer",
  "POST /v1/predictions/verify": "viewer",
  "POST /v1/backup": "admin",
  "POST /v1/labels": "operator",
  "GET /v1/labels": "viewer",
  "POST /v1/metrics": "operator",
  "GET /v1/metrics": "viewer",
  "GET /v1/performance": "viewer",
  "GET /v1/performance/harm": "viewer",
  "GET /v1/sinks": "operator",
  "POST /v1/sinks": "admin",
  "DELETE /v1/sinks/{name}": "admin",
  "GET /v1/whoami": "viewer",
  "POST /v1/whoami/token": "viewer",
  "GET /v1/operators": "admin",
  "POST /v1/operators": "admin",
  "POST /v1/operators/{name}/token": "admin",
  "DELETE /v1/operators/{name}/token": "admin",
  "DELETE /v1/operators/{name}": "admin",
  "GET /v1/audit": "viewer",
  "GET /v1/alerts": "viewer",
  "GET /v1/alerts/{id}": "viewer",
  "POST /v1/alerts/{id}/ack": "operator",
  "GET /v1/alert-receivers": "operator",
  "POST /v1/alert-receivers": "admin",
  "DELETE /v1/alert-receivers/{name}": "admin",
  "POST /v1/alert-receivers/{name}/test": "operator",
  "GET /v1/watches": "viewer",
  "POST /v1/watches": "operator",
  "DELETE /v1/watches/{model}": "operator",
  "POST /v1/watch/{model}": "ingest",
  "GET /v1/gate": "viewer",
  "GET /v1/releases": "viewer",
  "GET /v1/releases/{id}": "viewer",
  "POST /v1/models/{model}/releases": "operator",
  "POST /v1/releases/{id}/signature": "signer",
  "POST /v1/releases/{id}/refusal": "signer",
  "POST /v1/releases/{id}/withdrawal": "operator",
  "PUT /v1/models/{model}/hands-free": "operator",
  "PUT /v1/models/{model}/freeze": "operator",
};

async function bearer(site: Site, name: string, role: OperatorRole): Promise<Record<string, string>> {
  const { token } = operatorToken.parse((await site.call("POST", "/v1/operators", { name, role })).body);
  return { authorization: `Bearer ${token}` };
}

test("[R20] every route demands the least role that it needs, and refuses the ones below it by name", async () => {
  const site = await startSite();
  const as = {
    ingest: await bearer(site, "inge", "ingest"),
    viewer: await bearer(site, "vera", "viewer"),
    signer: await bearer(site, "sigrid", "signer"),
    operator: await bearer(site, "olga", "operator"),
    admin: {},
  };
  const { body } = await site.call("GET", "/openapi.json");
  const { paths } = body as { paths: Record<string, Record<string, unknown>> };
  const routes = Object.entries(paths)
    .filter(([path]) => path.startsWith("/v1/") && !openPaths.includes(path))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => [method.toUpperCase(), path] as const));
  const found = Object.fromEntries(
    routes.map(([method, path]) => [`${method} ${path}`, leastRole(method, path.replaceAll(/\{\w+\}/g, "x"))]),
  );
  expect(found).toMatchObject(expected);
  const order: OperatorRole[] = ["ingest", "viewer", "signer", "operator", "admin"];
  for (const [method, path] of routes) {
    const least = found[`${method} ${path}`] as OperatorRole;
    for (const role of order.slice(0, order.indexOf(least))) {
      const answer = await site.call(method, path.replaceAll(/\{\w+\}/g, "x"), undefined, as[role]);
      expect({ method, path, role, answer }).toMatchObject({
        answer: {
          status: 403,
          body: { error: { code: "forbidden", message: expect.stringContaining(`needs ${least}`) } },
        },
      });
    }
  }
  expect(await site.call("GET", "/v1/devices", undefined, as.viewer)).toMatchObject({ status: 200 });
  expect(await site.call("GET", "/v1/whoami", undefined, as.operator)).toMatchObject({ body: { name: "olga" } });
});

test("[R22] nobody is called as the audit calls the control plane's own doings", async () => {
  const site = await startSite();
  for (const name of ["control-plane", "hands-free"]) {
    const added = await site.call("POST", "/v1/operators", { name, role: "viewer" });
    expect(added).toMatchObject({ status: 409, body: { error: { message: expect.stringContaining("another name") } } });
  }
});

test("[R21] a token that was rotated or revoked opens nothing; nor does a removed operator's; the last admin stays", async () => {
  const site = await startSite();
  const ada = await bearer(site, "ada", "operator");
  const me = (headers: Record<string, string>) => site.call("GET", "/v1/whoami", undefined, headers);
  const rotated = operatorToken.parse((await site.call("POST", "/v1/operators/ada/token")).body);
  expect(await me(ada)).toMatchObject({ status: 401 });
  const next = { authorization: `Bearer ${rotated.token}` };
  expect(await me(next)).toMatchObject({ status: 200 });
  expect(await site.call("DELETE", "/v1/operators/ada/token")).toMatchObject({ status: 204 });
  expect(await me(next)).toMatchObject({ status: 401 });
  expect(await site.call("DELETE", "/v1/operators/ada")).toMatchObject({ status: 204 });
  expect(await site.call("POST", "/v1/operators", { name: "ada", role: "admin" })).toMatchObject({ status: 409 });
  expect(await site.call("POST", "/v1/operators/ada/token")).toMatchObject({ status: 404 });
  expect(await site.call("DELETE", "/v1/operators/admin")).toMatchObject({ status: 409 });
  expect(await site.call("DELETE", "/v1/operators/admin/token")).toMatchObject({ status: 409 });
});

test("[R21] no answer and no audit entry holds a token", async () => {
  const site = await startSite();
  await initialiseTrust(site);
  const made = operatorToken.parse((await site.call("POST", "/v1/operators", { name: "ada", role: "viewer" })).body);
  const { body } = await site.call("POST", "/v1/enrollment-tokens", {});
  const secret = JSON.parse(Buffer.from((body as { token: string }).token, "base64url").toString()).secret as string;
  for (const path of ["/v1/operators", "/v1/audit", "/v1/enrollment-tokens"]) {
    const text = JSON.stringify((await site.call("GET", path)).body);
    expect(text).not.toContain(made.token);
    expect(text).not.toContain(secret);
  }
  const { tokens } = tokenList.parse((await site.call("GET", "/v1/enrollment-tokens")).body);
  expect(tokens).toMatchObject([{ state: "usable", createdBy: "admin", devices: [] }]);
});

test("[R22] the audit names the operator who acted, what it was before, and what it is", async () => {
  const site = await startSite();
  const operator = await initialiseTrust(site);
  const ada = await bearer(site, "ada", "operator");
  await publish(site, operator, [makeBundle("rain", "one")]);
  await enroll(site, "gauge-1");
  await site.call("POST", "/v1/devices/gauge-1/revoke", { reason: "lost" }, ada);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } }, ada);
  const entries = ((await site.call("GET", "/v1/audit?actor=ada")).body as { entries: object[] }).entries;
  expect(entries).toMatchObject([
    { actor: "ada", action: "assignment.create", subject: "rain" },
    {
      actor: "ada",
      action: "device.revoke",
      subject: "gauge-1",
      detail: { before: { revoked: null }, after: { revoked: "lost" } },
    },
  ]);
  const put = ((await site.call("GET", "/v1/audit?action=metadata.put")).body as { entries: object[] }).entries;
  expect(put).toMatchObject([
    { actor: "admin", detail: { before: { versions: {} }, after: { versions: { root: 1 } } } },
  ]);
});
