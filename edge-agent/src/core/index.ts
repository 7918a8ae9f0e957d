/** What adapters and ways in take from core. */
export type { Agent, Answer, Prediction, PredictRequest, ServedModel } from "./agent.ts";
export { type AgentOptions, type CreateAgentOptions, createAgent } from "./create-agent.ts";
export type { SessionTimes } from "./link/session.ts";
export type {
  AppendFile,
  Backend,
  Clock,
  Compressor,
  Crypto,
  DeviceKey,
  Logger,
  Ports,
  Random,
  Session,
  Storage,
  Tensor,
  TensorData,
  Transport,
  TrustClient,
  TrustedTargets,
} from "./ports.ts";
