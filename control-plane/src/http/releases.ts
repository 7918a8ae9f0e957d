/** /v1/releases and a model's hands-free release: what is proposed, what signers say of it, and what stops it. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { modelName } from "@vedette/protocol/ids";
import {
  gateKeys,
  handsFreeAnswer,
  proposeVersion,
  refuseRelease,
  release,
  releaseList,
  setFreeze,
  setHandsFree,
  signRelease,
  withdrawRelease,
} from "@vedette/protocol/release-api";
import { describeHandsFree } from "../release/hands-free/describe-release.ts";
import { body, faults, json, ofId, ofModelList, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const ofModel = z.object({ model: modelName });

export function releaseRoutes(app: OpenAPIHono, { releases, keys }: HttpPorts): void {
  const security = operatorOnly;
  const answer = { 200: json(release, "The release as it stands"), ...faults };

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/models/{model}/releases",
      summary: "Propose a version without a signature: the gate checks it, a signer signs it",
      security,
      request: { params: ofModel, body: body(proposeVersion) },
      responses: answer,
    }),
    async (c) => {
      const { model } = c.req.valid("param");
      const { manifest, modelSignature = null, proposal } = c.req.valid("json");
      return c.json(await releases.propose({ model, manifest, modelSignature, proposal }, c.get("actor").name), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/releases",
      summary: "What was proposed, the newest first, and what happens by itself",
      security,
      request: { query: ofModelList },
      responses: { 200: json(releaseList, "Releases, and the models' settings"), ...faults },
    }),
    async (c) => {
      const { limit = 50, model } = c.req.valid("query");
      const settings = (await releases.handsFree()).filter((one) => model === undefined || one.model === model);
      const found = await releases.list(limit, model);
      return c.json({ releases: found, handsFree: settings.map(describeHandsFree) }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/releases/{id}",
      summary: "One release, with all that a signer needs",
      security,
      request: { params: ofId },
      responses: answer,
    }),
    async (c) => c.json(await releases.look(c.req.valid("param").id), 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/releases/{id}/signature",
      summary: "A signer's signature; the version is published once there are enough",
      security,
      request: { params: ofId, body: body(signRelease) },
      responses: answer,
    }),
    async (c) => {
      const { metadata } = c.req.valid("json");
      return c.json(await releases.sign(c.req.valid("param").id, metadata, c.get("actor").name), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/releases/{id}/refusal",
      summary: "Why a signer does not sign",
      security,
      request: { params: ofId, body: body(refuseRelease) },
      responses: answer,
    }),
    async (c) =>
      c.json(await releases.refuse(c.req.valid("param").id, c.req.valid("json").why, c.get("actor").name), 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/releases/{id}/withdrawal",
      summary: "Take a proposal back",
      security,
      request: { params: ofId, body: body(withdrawRelease) },
      responses: answer,
    }),
    async (c) =>
      c.json(await releases.withdraw(c.req.valid("param").id, c.req.valid("json").reason, c.get("actor").name), 200),
  );

  const settings = { 200: json(handsFreeAnswer, "The model's settings after it"), ...faults };
  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/models/{model}/hands-free",
      summary: "By which policy what a signer signed is rolled out at once; null: an operator starts it",
      security,
      request: { params: ofModel, body: body(setHandsFree) },
      responses: settings,
    }),
    async (c) => {
      const { model } = c.req.valid("param");
      const after = await releases.setPolicy(model, c.req.valid("json").policy, c.get("actor").name);
      return c.json({ ...describeHandsFree(after), paused: [] }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/models/{model}/freeze",
      summary: "Stop what a model's releases do by themselves, rollouts that began so included; or let it go on",
      security,
      request: { params: ofModel, body: body(setFreeze) },
      responses: settings,
    }),
    async (c) => {
      const { model } = c.req.valid("param");
      const { frozen, reason } = c.req.valid("json");
      const { handsFree, paused } = await releases.freeze(model, frozen, reason, c.get("actor").name);
      return c.json({ ...describeHandsFree(handsFree), paused }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/gate",
      summary: "The key that signs the gate's reports",
      security,
      responses: { 200: json(gateKeys, "Ed25519, hex"), ...faults },
    }),
    (c) => c.json({ key: keys.gate.publicKeyHex, next: keys.next.gate?.publicKeyHex ?? null }, 200),
  );
}
