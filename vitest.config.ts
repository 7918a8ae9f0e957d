import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const rooms = [
  "protocol/src",
  "wasm-kernels/js",
  "control-plane/{src,test}",
  "edge-agent/{src,test}",
  "fixtures/{src,scenarios}",
  "bench/src",
];

/** The demo and the scenarios take minutes: begun last, one of them would have the machine to itself at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      moduleId.includes("/fixtures/src/demo/") ? 0 : moduleId.includes("/fixtures/scenarios/") ? 1 : 2;
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

/** One runner for every room. Scenarios start real processes and often wait: three files at once keep two cores busy. */
export default defineConfig({
  test: {
    include: rooms.map((room) => `${room}/**/*.test.ts`),
    globalSetup: "fixtures/src/temporary-folder.ts",
    sequence: { sequencer: LongestFirst },
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
