/**
 * Builds what a page needs into a folder, for any web server:
 *
 *     page/                        the example page
 *     agent/vedette.js             what app developers import (stable name)
 *     agent/worker-….js, ort-…/    the agent's worker, ONNX Runtime's and the kernels' WebAssembly
 *
 *     node edge-agent/src/node/build-page.ts --out DIR
 *
 * A second run over unchanged sources does nothing: a stamp in the folder names them all by one hash.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { constants, setPriority } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { Command } from "commander";
import { build } from "vite";

const require = createRequire(import.meta.url);
const source = fileURLToPath(new URL("..", import.meta.url));
const workspace = join(source, "../..");
const stampFile = ".vedette-page";

export interface BuiltPage {
  readonly folder: string;
  /** False where the folder held the same build already. */
  readonly built: boolean;
}

/** @throws VedetteError internal where the bundler fails: the message is its own. */
export async function buildPage(out: string): Promise<BuiltPage> {
  const folder = resolve(out);
  const stamp = await hashOfSources();
  if ((await readStamp(folder)) === stamp) return { folder, built: false };
  try {
    await bundle(folder);
  } catch (cause) {
    throw new VedetteError("internal", `the page cannot be bundled: ${messageOf(cause)}`, { cause });
  }
  await copyRuntime(folder);
  // Last, so that a build cut short is not taken for a whole one.
  await writeFile(join(folder, stampFile), stamp);
  return { folder, built: true };
}

async function bundle(folder: string): Promise<void> {
  await build({
    configFile: false,
    root: join(source, "browser"),
    base: "./",
    logLevel: "warn",
    // Else the runtime inlines its 14 MB of WebAssembly as text.
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "production"] },
    worker: {
      format: "es",
      rolldownOptions: {
        output: { entryFileNames: "agent/worker-[hash].js", assetFileNames: "agent/[name]-[hash][extname]" },
      },
    },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: "es2023",
      modulePreload: false,
      assetsInlineLimit: 0,
      rolldownOptions: {
        input: { vedette: join(source, "browser/index.ts"), page: join(source, "browser/page/index.html") },
        preserveEntrySignatures: "strict",
        output: {
          // What both share belongs to the agent, so that apps may leave the example page out.
          chunkFileNames: "agent/[name]-[hash].js",
          entryFileNames: ({ name }) => (name === "vedette" ? "agent/vedette.js" : "page/[name]-[hash].js"),
          assetFileNames: ({ names }) =>
            names[0]?.endsWith(".wasm") ? "agent/[name]-[hash][extname]" : "page/[name]-[hash][extname]",
        },
      },
    },
  });
}

/** ONNX Runtime finds its two files by URL, so they are copied and not bundled; the version in the name lets them be cached for ever. */
async function copyRuntime(folder: string): Promise<void> {
  const dist = dirname(require.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  const { version }: { version: string } = JSON.parse(await readFile(join(dist, "../package.json"), "utf8"));
  const target = join(folder, "agent", `ort-${version}`);
  await mkdir(target, { recursive: true });
  for (const extension of ["mjs", "wasm"]) {
    const name = `ort-wasm-simd-threaded.${extension}`;
    await copyFile(join(dist, name), join(target, name));
  }
}

/** One hash of all that goes into the build; of libraries, the lock file that pins them. */
async function hashOfSources(): Promise<string> {
  const hash = createHash("sha256");
  const roots = [
    join(source, "browser"),
    join(source, "core"),
    join(workspace, "protocol/src"),
    join(workspace, "wasm-kernels/js"),
    join(workspace, "wasm-kernels/pkg"),
  ];
  const files = [fileURLToPath(import.meta.url), join(workspace, "package-lock.json")];
  for (const root of roots) {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    files.push(...entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)));
  }
  for (const file of files.sort()) {
    const bytes = await readFile(file);
    hash.update(`${file.slice(workspace.length)} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest("hex");
}

async function readStamp(folder: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, stampFile), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Run beside a control plane that starts: devices come first.
  setPriority(constants.priority.PRIORITY_LOW);
  const { out } = new Command("build-page")
    .description("Bundles the browser agent and its example page for a web server.")
    .requiredOption("--out <folder>", "where to put it; what is there is replaced")
    .parse()
    .opts<{ out: string }>();
  const { folder, built } = await buildPage(out);
  console.log(built ? `built ${folder}` : `${folder} is up to date`);
}
