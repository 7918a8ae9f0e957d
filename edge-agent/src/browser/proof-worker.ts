/** The worker that `page-prover.ts` starts and may end: one question, one answer. */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { givenFiles, prove } from "../core/prove/prove.ts";
import { createOrtWebBackend } from "./ort-web-backend.ts";
import type { ProofAnswer, ProofTask } from "./page-prover.ts";
import { webClock } from "./web-clock.ts";

const pageBytes = 65_536;
/** What the runtime takes for itself. */
const runtimeBytes = 64 * 1024 * 1024;

addEventListener("message", ({ data }: MessageEvent<ProofTask>) => {
  answer(data)
    .catch((error: unknown): ProofAnswer => ({ error: { code: codeOf(error), message: messageOf(error) } }))
    .then((said) => postMessage(said))
    .catch((error: unknown) => reportError(error));
});

async function answer({ manifest, files, assets }: ProofTask): Promise<ProofAnswer> {
  limitMemory(runtimeBytes + manifest.limits.memoryBytes);
  const session = await prove({
    manifest,
    file: givenFiles(manifest, files),
    backend: createOrtWebBackend(new URL(assets)),
    clock: webClock,
  });
  await session.release();
  return {};
}

/** The runtime makes its memory itself, and asks for as much as can be addressed: here it gets less. */
function limitMemory(bytes: number): void {
  const Unlimited = WebAssembly.Memory;
  const most = Math.ceil(bytes / pageBytes);
  WebAssembly.Memory = class extends Unlimited {
    constructor(wanted: WebAssembly.MemoryDescriptor) {
      super({ ...wanted, maximum: Math.max(wanted.initial, Math.min(wanted.maximum ?? most, most)) });
    }
  };
}
