/** /runbooks: what to do about an alert, without a login: the one who reads it was just woken. */
import { readFile } from "node:fs/promises";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { VedetteError } from "@vedette/protocol/errors";
import { runbookPages } from "../monitoring/alerts/catalogue.ts";

const folder = new URL("../../../docs/runbooks/", import.meta.url);

export function runbookRoutes(app: OpenAPIHono): void {
  app.get("/runbooks/:page", async (c) => {
    const page = c.req.param("page").replace(/\.md$/, "");
    // Only pages that an alert leads to: a path of somebody's is never opened.
    if (!runbookPages.has(page)) throw new VedetteError("not_found", `there is no runbook ${page}`);
    const text = await readFile(new URL(`${page}.md`, folder), "utf8");
    return c.body(text, 200, { "Content-Type": "text/plain; charset=utf-8" });
  });
}
