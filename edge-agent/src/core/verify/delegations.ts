/** Which delegated roles may speak for a target path (TUF specification 1.0, section 4.5). */

import { utf8 } from "@vedette/protocol/bytes";
import type { Crypto } from "../ports.ts";
import type { DelegatedRole } from "./metadata.ts";

/** Whether a path matches a pattern: level by level, `*` any characters but `/`, `?` one of them; all else is itself. */
function matchesPath(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return wanted.length === given.length && wanted.every((level, i) => matchesLevel(level, given[i] as string));
}

/** Greedy with one step back: linear in practice, quadratic at worst, never exponential. */
function matchesLevel(pattern: string, text: string): boolean {
  let p = 0;
  let star = -1;
  let resume = 0;
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** The roles that a delegator asks for a path, in its order of trust; none after a terminating one (5.6.7.2.1). */
export async function rolesFor(
  crypto: Crypto,
  roles: readonly DelegatedRole[],
  path: string,
): Promise<{ roles: DelegatedRole[]; terminated: boolean }> {
  const hash = await crypto.sha256(utf8(path));
  const found: DelegatedRole[] = [];
  for (const role of roles) {
    const speaks = role.paths
      ? role.paths.some((pattern) => matchesPath(pattern, path))
      : role.path_hash_prefixes?.some((prefix) => hash.startsWith(prefix));
    if (!speaks) continue;
    found.push(role);
    if (role.terminating) return { roles: found, terminated: true };
  }
  return { roles: found, terminated: false };
}
