/** Which delegated roles may speak for a target path (TUF specification 1.0, section 4.5). */
import type { Crypto } from "../../core/ports.ts";
import type { DelegatedRole } from "./metadata.ts";
/** The roles that a delegator asks for a path, in its order of trust; none after a terminating one (5.6.7.2.1). */
export declare function rolesFor(
  crypto: Crypto,
  roles: readonly DelegatedRole[],
  path: string,
): Promise<{
  roles: DelegatedRole[];
  terminated: boolean;
}>;
