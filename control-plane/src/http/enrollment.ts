/** Joining: tokens for operators to hand out; enrolment and device tokens, which carry their own proof. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  createToken,
  createTokenAnswer,
  deviceCertificateAnswer,
  deviceTokenAnswer,
  deviceTokenRequest,
  enrollAnswer,
  enrollRequest,
  revokeTokenAnswer,
  tokenId,
  tokenList,
} from "@vedette/protocol/api";
import { deviceCertificateClaim } from "@vedette/protocol/joining";
import { cors } from "hono/cors";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";
import { rateLimit } from "./rate-limit.ts";

/** What anyone may call: the request proves itself. */
export const openPaths: readonly string[] = ["/v1/enroll", "/v1/device-token", "/v1/device-certificate"];

export function enrollmentRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  const { site, enrollment, deviceTokens, authority, deviceLogin, brokerUrls } = ports;
  const limit = rateLimit(ports.joinLimit, ports.clock);
  for (const path of openPaths) {
    // Pages of any origin may join; nothing else answers another origin. A page whose clock is wrong goes by the date.
    const exposeHeaders = ["Date"];
    app.use(
      path,
      cors({ origin: "*", allowMethods: ["POST"], allowHeaders: ["Content-Type"], exposeHeaders, maxAge: 600 }),
      limit,
    );
  }

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/enrollment-tokens",
      summary: "Make a token by which devices join",
      security: operatorOnly,
      request: { body: body(createToken) },
      responses: { 200: json(createTokenAnswer, "The token, shown once"), ...faults },
    }),
    async (c) => {
      const { token, expiresAt, id } = await enrollment.createToken(c.req.valid("json"), c.get("actor").name);
      return c.json({ token, expiresAt: new Date(expiresAt).toISOString(), id }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/enrollment-tokens",
      summary: "Enrolment tokens by id, never their secrets, and the devices that joined by each",
      security: operatorOnly,
      responses: { 200: json(tokenList, "The newest first"), ...faults },
    }),
    async (c) => {
      const iso = (ms: number) => new Date(ms).toISOString();
      const tokens = (await enrollment.listTokens()).map((one) => ({
        id: one.id,
        labels: { ...one.labels },
        uses: one.uses,
        used: one.used,
        createdAt: iso(one.createdAt),
        createdBy: one.createdBy,
        expiresAt: iso(one.expiresAt),
        revokedAt: one.revokedAt === null ? null : iso(one.revokedAt),
        state: one.state,
        devices: one.devices,
      }));
      return c.json({ tokens }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/enrollment-tokens/{id}/revoke",
      summary: "End a token's use; devices that joined by it stay until they are revoked",
      security: operatorOnly,
      request: { params: z.object({ id: tokenId }) },
      responses: { 200: json(revokeTokenAnswer, "The devices that joined by it"), ...faults },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      return c.json({ id, ...(await enrollment.revokeToken(id, c.get("actor").name)) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/enroll",
      summary: "Redeem a token: registers the device's key",
      request: { body: body(enrollRequest) },
      responses: { 200: json(enrollAnswer, "The site's first root and where its broker is"), ...faults },
    }),
    async (c) => {
      const request = c.req.valid("json");
      const { root, labels } = await enrollment.enroll(request);
      const { agent, publicKey } = request;
      const { certificate } = await authority.forDevice(agent, publicKey);
      return c.json({ site, agent, root, labels: { ...labels }, certificate, ...brokerUrls() }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/device-token",
      summary: "A one-hour MQTT password for a proof of the device's key",
      request: { body: body(deviceTokenRequest) },
      responses: { 200: json(deviceTokenAnswer, "The password and the time here"), ...faults },
    }),
    async (c) => {
      const { token, expiresAt, time } = await deviceTokens.issue(c.req.valid("json"));
      return c.json(
        { token, expiresAt: new Date(expiresAt).toISOString(), time, ...deviceLogin, ...brokerUrls() },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/device-certificate",
      summary: "A client certificate for the device's key, by the site's authority",
      request: { body: body(deviceTokenRequest) },
      responses: { 200: json(deviceCertificateAnswer, "The certificate, and until when it holds"), ...faults },
    }),
    async (c) => {
      const request = c.req.valid("json");
      const publicKey = await deviceTokens.prove(request, deviceCertificateClaim);
      const { certificate, expiresAt } = await authority.forDevice(request.agent, publicKey);
      return c.json({ certificate, expiresAt: new Date(expiresAt).toISOString() }, 200);
    },
  );
}
