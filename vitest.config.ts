import { defineConfig } from "vitest/config";

const rooms = [
  "protocol/src",
  "wasm-kernels/js",
  "control-plane/{src,test}",
  "edge-agent/{src,test}",
  "fixtures/{src,scenarios}",
  "bench/src",
];

/** One runner for every room. Scenarios start real processes, so files do not all run at once on two cores. */
export default defineConfig({
  test: {
    include: rooms.map((room) => `${room}/**/*.test.ts`),
    globalSetup: "fixtures/src/temporary-folder.ts",
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
