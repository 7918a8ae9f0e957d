import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterEach, expect, test, vi } from "vitest";
import { loadKernelsBrowser } from "./browser.ts";
import { loadKernels, supportsSimd } from "./index.ts";
import { loadKernelsNode } from "./node.ts";

const pkg = (name: string) => readFile(new URL(`../pkg/${name}`, import.meta.url));
const [simd, scalar] = await Promise.all([pkg("kernels_simd.wasm"), pkg("kernels_scalar.wasm")]);
const build = JSON.parse((await pkg("BUILD.json")).toString()) as { sha256: Record<string, string> };

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("Node has SIMD and gets it", async () => {
  expect(supportsSimd()).toBe(true);
  expect((await loadKernelsNode()).variant).toBe("simd");
});

test("an engine without SIMD gets the scalar build, and the other is not fetched", async () => {
  vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
  const untouched = vi.fn<() => Promise<WebAssembly.Module>>();
  expect((await loadKernels({ simd: untouched, scalar })).variant).toBe("scalar");
  expect(untouched).not.toHaveBeenCalled();
});

test("bytes and compiled modules both do, and do not share memory", async () => {
  const module = await WebAssembly.compile(simd);
  const [a, b] = await Promise.all([
    loadKernels({ simd: module, scalar }),
    loadKernels({ simd, scalar, force: "scalar" }),
  ]);
  const [x, y] = [a, b].map((kernels) => kernels.openReference(kernels.buildReference(["f"], new Float32Array(60))));
  expect(x?.hash).toBe(y?.hash);
  x?.free();
  expect(y?.newState().n).toBe(0);
});

test("a module that is broken or does not come is unavailable, with the cause", async () => {
  await expect(loadKernels({ simd: new Uint8Array(9), scalar })).rejects.toMatchObject({ code: "unavailable" });
  const cause = new Error("no such file");
  const missing = loadKernels({ simd: () => Promise.reject(cause), scalar });
  await expect(missing).rejects.toMatchObject({ code: "unavailable", cause });
});

test("a page fetches one module", async () => {
  const fetched: string[] = [];
  vi.stubGlobal("fetch", async (url: URL) => {
    fetched.push(url.href.split("/").at(-1) ?? "");
    return new Response(new Uint8Array(scalar));
  });
  expect((await loadKernelsBrowser("scalar")).variant).toBe("scalar");
  expect(fetched).toEqual(["kernels_scalar.wasm"]);
  vi.stubGlobal("fetch", async () => new Response(null, { status: 404 }));
  await expect(loadKernelsBrowser()).rejects.toThrow("404");
});

test("[X13] the modules are those of BUILD.json, name no paths and import nothing but their glue", async () => {
  for (const [name, bytes] of [
    ["kernels_simd.wasm", simd],
    ["kernels_scalar.wasm", scalar],
  ] as const) {
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(build.sha256[name]);
    const imports = WebAssembly.Module.imports(await WebAssembly.compile(bytes));
    expect(imports.filter(({ name: imported }) => !imported.startsWith("__wb"))).toEqual([]);
    expect(bytes.toString("latin1")).not.toMatch(/\/(home|root|usr|tmp)\//);
  }
});
