/**
 * The least role that each request needs, in one place. What is not named here: reading is a viewer's, changing is an
 * operator's, so that a route added later is not open by mistake.
 */
import { type OperatorRole, operatorRoles } from "@vedette/protocol/api";

/** The first that fits counts. */
const exceptions: readonly [method: string, path: RegExp, role: OperatorRole][] = [
  ["*", /^\/v1\/operators(\/|$)/, "admin"],
  ["*", /^\/v1\/trust\/online-keys$/, "admin"],
  ["POST", /^\/v1\/whoami\/token$/, "viewer"],
  // Questions that are too long for an address.
  ["POST", /^\/v1\/watch\/[^/]+$/, "ingest"],
  ["POST", /^\/v1\/blobs\/missing$/, "viewer"],
  ["POST", /^\/v1\/rollouts\/[^/]+\/replay$/, "viewer"],
  ["POST", /^\/v1\/predictions\/(query|flush|export|verify)$/, "viewer"],
  // Of programs that sign, or say why they do not.
  ["POST", /^\/v1\/releases\/[^/]+\/(signature|refusal)$/, "signer"],
  // What cannot be taken back, and what hands out everything, or everything from now on.
  ["PUT", /^\/v1\/predictions\/retention$/, "admin"],
  ["POST", /^\/v1\/predictions\/erasures$/, "admin"],
  ["POST", /^\/v1\/backup$/, "admin"],
  // The addresses of receivers may hold secrets of theirs.
  ["GET", /^\/v1\/sinks$/, "operator"],
  ["*", /^\/v1\/sinks(\/|$)/, "admin"],
  ["GET", /^\/v1\/alert-receivers$/, "operator"],
  ["POST", /^\/v1\/alert-receivers\/[^/]+\/test$/, "operator"],
  ["*", /^\/v1\/alert-receivers(\/|$)/, "admin"],
];

/** @param path as it was asked for. */
export function leastRole(method: string, path: string): OperatorRole {
  const found = exceptions.find(([of, pattern]) => (of === "*" || of === method) && pattern.test(path));
  if (found) return found[2];
  return ["GET", "HEAD", "OPTIONS"].includes(method) ? "viewer" : "operator";
}

/** Each role may also what the ones before it may; but handing in what was predicted is a program's, and operators'. */
export function mayAct(role: OperatorRole, least: OperatorRole): boolean {
  if (least === "ingest" && (role === "viewer" || role === "signer")) return false;
  return operatorRoles.indexOf(role) >= operatorRoles.indexOf(least);
}

/**
 * A token that came as the password of Basic authentication, as a bearer token: loggers of inference servers know no other
 * way than `https://logger:TOKEN@…`. Anything else as it is.
 */
export function asBearer(authorization: string | undefined): string | undefined {
  const [, coded] = /^Basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(authorization ?? "") ?? [];
  if (coded === undefined) return authorization;
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(coded, "base64").toString("utf8")) ?? [];
  return `Bearer ${password ?? ""}`;
}
