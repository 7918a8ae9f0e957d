/** The agent for pages and an example page, served from the folder they are built into. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { serveStatic } from "@hono/node-server/serve-static";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { VedetteError } from "@vedette/protocol/errors";
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";

/** The build writes it last: before, the folder is not whole. */
const stampFile = ".vedette-page";
/** Names that change with their content, so that a second visit asks for nothing again and the agent starts offline. */
const pinnedName = /\/ort-[\w.]+\/[^/]+$|-[\w-]{8}\.\w+$/;

/** WASM compiles, nothing inline runs, and the page speaks only to this host and to brokers. */
const contentSecurity =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; style-src 'self'";

export function pageRoutes(app: OpenAPIHono, pageDir: string): void {
  let files: MiddlewareHandler | undefined;
  const page: MiddlewareHandler = async (c, next) => {
    // Also on workers: theirs is the policy under which WASM compiles.
    c.header("Content-Security-Policy", contentSecurity);
    c.header("Cross-Origin-Opener-Policy", "same-origin");
    c.header("Cross-Origin-Embedder-Policy", "require-corp");
    c.header("Cache-Control", "no-cache");
    // Built in the background: the control plane does not wait for it.
    if (!existsSync(join(pageDir, stampFile))) {
      throw new VedetteError("not_ready", "the page is still being built: try again in a moment");
    }
    files ??= serveStatic({
      root: pageDir,
      onFound: (path, found) => {
        if (pinnedName.test(path)) found.header("Cache-Control", "public, max-age=31536000, immutable");
      },
    });
    return files(c, next);
  };
  // Apps of any origin import the agent; it is public, and speaks for a device only.
  app.use("/agent/*", cors({ origin: "*", allowMethods: ["GET"] }), async (c, next) => {
    c.header("Cross-Origin-Resource-Policy", "cross-origin");
    await next();
  });
  app.get("/agent/*", page);
  app.get("/", (c) => c.redirect("/page/"));
  app.get("/page", (c) => c.redirect("/page/"));
  app.get("/page/*", page);
}
