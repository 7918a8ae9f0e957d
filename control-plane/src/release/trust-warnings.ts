/** What to do about signatures that run out, in words, for `vedette production` and the log. Pure. */
import type { ExpiringRole } from "./trust-repository.ts";

export function trustWarnings(expiring: readonly ExpiringRole[]): string[] {
  return expiring.map(({ role, expires, expired }) => {
    const day = new Date(expires).toISOString().slice(0, 10);
    return expired
      ? `the signed metadata of ${role} expired on ${day}: devices follow nothing new until \`vedette keys renew\``
      : `the signed metadata of ${role} expires on ${day}: \`vedette keys renew\``;
  });
}
