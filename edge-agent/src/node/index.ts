/** The agent for programs in Node: in process, or piece by piece. */

export { type NamedRequest, type NamedRow, type NamedValue, predictRows } from "../core/serve/named-rows.ts";
export type { MqttTransportOptions } from "../mqtt/transport.ts";
export { type Enrolment, enroll, readEnrolment } from "./enroll.ts";
export { openFsStorage } from "./fs-storage.ts";
export { createMqttTransport } from "./mqtt-transport.ts";
export { agentVersion, type NodeAgent, type NodeAgentOptions, openNodeAgent } from "./node-agent.ts";
export { nodeCrypto, openDeviceKey } from "./node-crypto.ts";
export { type OipServer, type OipServerOptions, startOipServer } from "./oip/server.ts";
export { createOrtBackend, type OrtBackendOptions } from "./ort-backend.ts";
export { createPinoLogger } from "./pino-logger.ts";
export { type RunningAgent, type RunOptions, runAgent } from "./run-agent.ts";
export { systemClock, systemRandom } from "./system-clock.ts";
export { createThreadPacker, type ThreadPacker } from "./thread-packer.ts";
export { zstdCompressor } from "./zstd-compressor.ts";
