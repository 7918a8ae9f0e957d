/** Where the site's certificate authority is kept: `up` and `broker certificate` must mean the same. */
import { join } from "node:path";

/** @param home the control plane's. */
export const authorityFolder = (home: string): string => join(home, "data", "site-authority");
