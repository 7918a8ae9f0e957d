/** Loads the committed modules from disk, or the native one of `build-native.sh` where that was asked for and was built. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { KernelError } from "./error.ts";
import { kernelsOf, type RawKernels } from "./face.ts";
import { type Kernels, kernelAbi, loadKernels, type Variant } from "./index.ts";

/** A variant, which then comes or is an error; or `auto`: native where it was built, else as if nothing had been said. */
export type KernelsChoice = Variant | "auto";

const choices: readonly KernelsChoice[] = ["simd", "scalar", "native", "auto"];
const nativePath = fileURLToPath(new URL("../native/kernels.node", import.meta.url));

/** Whether the native module was built here. */
export function nativeIsBuilt(path = nativePath): boolean {
  return existsSync(path);
}

/**
 * Kernels for Node. Without a choice the environment's VEDETTE_KERNELS chooses; without that WebAssembly does it, with SIMD
 * where there is SIMD. Throws KernelError `unavailable`, and VedetteError `invalid_argument` where VEDETTE_KERNELS names no
 * choice.
 */
export async function loadKernelsNode(
  choice = chosen(process.env.VEDETTE_KERNELS),
  path = nativePath,
): Promise<Kernels> {
  if (choice === "native" || (choice === "auto" && nativeIsBuilt(path))) return openNative(path);
  return loadKernels({
    simd: () => readFile(new URL("../pkg/kernels_simd.wasm", import.meta.url)),
    scalar: () => readFile(new URL("../pkg/kernels_scalar.wasm", import.meta.url)),
    force: choice === "auto" ? undefined : choice,
  });
}

/** What VEDETTE_KERNELS says; undefined where it says nothing. Throws VedetteError `invalid_argument`. */
function chosen(said: string | undefined): KernelsChoice | undefined {
  if (said === undefined || said === "") return undefined;
  const choice = choices.find((known) => known === said);
  if (choice === undefined) {
    const message = `VEDETTE_KERNELS is ${said}, and may be ${choices.join(", ")} or nothing`;
    throw new VedetteError("invalid_argument", message);
  }
  return choice;
}

/** The native kernels. Throws KernelError `unavailable`: not built, not for this machine, or of another abi. */
function openNative(path: string): Kernels {
  const remedy = "build them by `npm run build:native --workspace wasm-kernels`, or unset VEDETTE_KERNELS";
  if (!nativeIsBuilt(path)) throw new KernelError("unavailable", `there are no native kernels at ${path}: ${remedy}`);
  let raw: RawKernels;
  try {
    raw = createRequire(import.meta.url)(path) as RawKernels;
  } catch (cause) {
    throw new KernelError("unavailable", `the native kernels do not load: ${messageOf(cause)}; ${remedy}`, { cause });
  }
  if (raw.kernelAbi() !== kernelAbi) {
    const message = `the native kernels are of abi ${raw.kernelAbi()}, and this program is of ${kernelAbi}: ${remedy}`;
    throw new KernelError("unavailable", message);
  }
  return kernelsOf(raw, "native");
}
