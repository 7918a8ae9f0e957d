/** The HTTP API: one file a noun, all of it behind an operator's token but what carries its own proof. */
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { VedetteError } from "@vedette/protocol/errors";
import { maxEvaluationBytes } from "@vedette/protocol/gate-api";
import { siteId } from "@vedette/protocol/ids";
import { maxWatchBytes } from "@vedette/protocol/watch-api";
import { bodyLimit } from "hono/body-limit";
import type { Actor } from "../operators/operators.ts";
import { alertReceiverRoutes } from "./alert-receivers.ts";
import { alertRoutes } from "./alerts.ts";
import { assignmentRoutes } from "./assignments.ts";
import { auditRoutes } from "./audit.ts";
import { blobRoutes } from "./blobs.ts";
import { businessMetricRoutes } from "./business-metrics.ts";
import { json } from "./describe.ts";
import { deviceRoutes } from "./devices.ts";
import { driftRoutes } from "./drift.ts";
import { enrollmentRoutes, openPaths } from "./enrollment.ts";
import { experimentRoutes } from "./experiments.ts";
import { gateRoutes } from "./gate.ts";
import { labelRoutes } from "./labels.ts";
import { modelRoutes } from "./models.ts";
import { operatorRoutes } from "./operators.ts";
import { pageRoutes } from "./page.ts";
import { performanceRoutes } from "./performance.ts";
import type { HttpPorts } from "./ports.ts";
import { predictionRoutes } from "./predictions.ts";
import { prometheusRoute } from "./prometheus.ts";
import { recordRoutes } from "./records.ts";
import { releaseRoutes } from "./releases.ts";
import { asBearer, leastRole, mayAct } from "./roles.ts";
import { rolloutRoutes } from "./rollouts.ts";
import { runbookRoutes } from "./runbooks.ts";
import { sinkRoutes } from "./sinks.ts";
import { answerError, misfit } from "./status.ts";
import { trustRoutes } from "./trust.ts";
import { watchRoutes } from "./watch.ts";

const kib = 1024;
/** Largest body by path, bytes. A manifest and its metadata travel as JSON strings, which escaping lengthens. */
const bodyLimits: readonly [path: string, bytes: number][] = [
  ["/v1/blobs/missing", 1024 * kib],
  ["/v1/blobs/*", 110 * kib],
  ["/v1/evaluations/*", maxEvaluationBytes],
  ["/v1/models/*", 8 * 1024 * kib],
  ["/v1/trust/*", 16 * 1024 * kib],
  ["/v1/releases/*", 4 * 1024 * kib],
  ["/v1/labels", 16 * 1024 * kib],
  ["/v1/metrics", 16 * 1024 * kib],
  ["/v1/watch/*", maxWatchBytes],
  ["/v1/watches", 8 * 1024 * kib],
  ["/v1/*", 1024 * kib],
];

const about = {
  openapi: "3.1.0",
  info: {
    title: "Vedette control plane",
    version: "1",
    description: "Publish models, assign them to devices, see what is in production.",
  },
};

export function createApp(ports: HttpPorts): OpenAPIHono {
  const { logger, operators } = ports;
  const { activity } = ports.metrics;
  const whoAsks = async (method: string, path: string, authorization: string | undefined): Promise<Actor> => {
    const least = leastRole(method, path);
    const actor = await operators.authenticate(least === "ingest" ? asBearer(authorization) : authorization);
    if (!actor) {
      throw new VedetteError("unauthenticated", "this needs an operator's token: Authorization: Bearer <token>");
    }
    if (!mayAct(actor.role, least)) {
      throw new VedetteError("forbidden", `${actor.name} is ${actor.role}, and this needs ${least}: ask an admin`);
    }
    return actor;
  };
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw misfit(result.error, `the request's ${result.target}`);
    },
  });
  app.onError((error, c) => answerError(error, c, logger));
  app.notFound((c) => {
    return answerError(
      new VedetteError("not_found", `there is no ${c.req.method} ${c.req.path}: see /openapi.json`),
      c,
      logger,
    );
  });

  // First, so that what the others refuse passes here, too.
  app.use(async (c, next) => {
    await next();
    c.header("X-Content-Type-Options", "nosniff");
    const kind = `${String(c.res.status).slice(0, 1)}xx`;
    activity.http[kind] = (activity.http[kind] ?? 0) + 1;
  });
  app.use("/metrics", async (c, next) => {
    await whoAsks(c.req.method, c.req.path, c.req.header("Authorization"));
    await next();
  });
  app.use("/v1/*", async (c, next) => {
    c.header("Cache-Control", "no-store");
    const { method, path } = c.req;
    if (!openPaths.includes(path)) c.set("actor", await whoAsks(method, path, c.req.header("Authorization")));
    const maxSize = bodyLimits.find(([path]) => fits(path, c.req.path))?.[1] ?? kib;
    const onError = () => {
      throw new VedetteError("too_large", `the body of ${c.req.path} may have ${maxSize} bytes at most`);
    };
    return bodyLimit({ maxSize, onError })(c, next);
  });

  app.openapi(
    createRoute({
      method: "get",
      path: "/health",
      summary: "Whether the control plane answers",
      responses: { 200: json(z.object({ live: z.literal(true), site: siteId }), "It does") },
    }),
    (c) => c.json({ live: true as const, site: ports.site }, 200),
  );
  trustRoutes(app, ports);
  blobRoutes(app, ports);
  modelRoutes(app, ports);
  assignmentRoutes(app, ports);
  rolloutRoutes(app, ports);
  experimentRoutes(app, ports);
  gateRoutes(app, ports);
  releaseRoutes(app, ports);
  enrollmentRoutes(app, ports);
  deviceRoutes(app, ports);
  predictionRoutes(app, ports);
  driftRoutes(app, ports);
  prometheusRoute(app, ports, ports.metrics);
  operatorRoutes(app, ports);
  auditRoutes(app, ports);
  recordRoutes(app, ports);
  sinkRoutes(app, ports);
  labelRoutes(app, ports);
  businessMetricRoutes(app, ports);
  performanceRoutes(app, ports);
  alertRoutes(app, ports);
  alertReceiverRoutes(app, ports);
  runbookRoutes(app);
  watchRoutes(app, ports);
  pageRoutes(app, ports.pageDir);
  app.openAPIRegistry.registerComponent("securitySchemes", "operator", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", about);
  return app;
}

function fits(pattern: string, path: string): boolean {
  return pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}
