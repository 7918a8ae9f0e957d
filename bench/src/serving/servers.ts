/** The servers that are compared: how each is started, and where it listens. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ModelKind, modelName } from "./models.ts";

export const serverNames = ["json", "vedette", "starlette", "litserve", "bentoml", "mlserver"] as const;
export type ServerName = (typeof serverNames)[number];

export interface ServerKind {
  readonly name: ServerName;
  readonly title: string;
  readonly inferPath: string;
  readonly healthPath: string;
  /** @param file the model's. */
  command(model: ModelKind, file: string, port: number): readonly string[];
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peers = process.env.VEDETTE_BENCH_PEERS ?? join(homedir(), ".cache", "vedette-bench-peers");
const python = (name: string): string => join(peers, name, "bin", "python");

function nodeServer(name: ServerName, title: string, inferPath: string, script: string): ServerKind {
  return {
    name,
    title,
    inferPath,
    healthPath: "/v2/health/live",
    command: (model, _file, port) =>
      name === "json"
        ? [process.execPath, here(script), String(port)]
        : [process.execPath, here(script), model, String(port)],
  };
}

function pythonServer(
  name: ServerName,
  title: string,
  script: string,
  paths: { infer?: string; health?: string } = {},
): ServerKind {
  return {
    name,
    title,
    inferPath: paths.infer ?? "/infer",
    healthPath: paths.health ?? "/health",
    command: (_model, file, port) => [python(name), here(`../../peers/${script}`), file, String(port)],
  };
}

const kinds: Readonly<Record<ServerName, ServerKind>> = {
  json: nodeServer("json", "node:http, JSON only", "/infer", "./json-server.ts"),
  vedette: nodeServer("vedette", "Vedette", `/v2/models/${modelName}/infer`, "./agent-server.ts"),
  starlette: pythonServer("starlette", "Starlette", "starlette_server.py"),
  litserve: pythonServer("litserve", "LitServe", "litserve_server.py"),
  bentoml: pythonServer("bentoml", "BentoML", "bentoml_service.py", { health: "/livez" }),
  mlserver: pythonServer("mlserver", "MLServer", "mlserver_server.py", {
    infer: "/v2/models/bench/infer",
    health: "/v2/health/ready",
  }),
};

export function serverKind(name: ServerName): ServerKind {
  return kinds[name];
}

/** Whether a server can be started here: a Python peer needs its environment. */
export function isThere(name: ServerName): boolean {
  return name === "json" || name === "vedette" || existsSync(python(name));
}
