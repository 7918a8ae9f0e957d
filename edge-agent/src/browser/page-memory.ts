/** How much memory a page may give its models. Pure. */

/** The most that 32-bit WebAssembly can address. */
const wasmMemory = 2 ** 32;

/** @param deviceMemory of the navigator: GiB of the machine, roughly; undefined where the browser does not tell. */
export function pageMemory(deviceMemory: number | undefined): number {
  return deviceMemory === undefined ? wasmMemory : Math.min(wasmMemory, deviceMemory * 2 ** 30);
}
