/** Signed metadata that run out, or did. */
import type { TrustRepository } from "../../../release/trust-repository.ts";
import type { AlertSource } from "../watch-sources.ts";

export function expiringMetadata(trust: Pick<TrustRepository, "expiring">): AlertSource {
  return {
    names: ["VedetteMetadataExpiring"],
    async look() {
      const wrong = trust.expiring().map(({ role, expires, expired }) => {
        const day = new Date(expires).toISOString().slice(0, 10);
        return {
          name: "VedetteMetadataExpiring" as const,
          severity: expired ? ("critical" as const) : ("warning" as const),
          labels: { role },
          annotations: {
            summary: expired ? `The signed metadata of ${role} expired` : `The signed metadata of ${role} run out`,
            description: expired
              ? `On ${day}. Devices serve on, and follow nothing new until somebody renews them: vedette keys renew`
              : `On ${day}; from then on devices follow nothing new: vedette keys renew`,
          },
          key: `metadata-expiring/${role}`,
        };
      });
      return { wrong };
    },
  };
}
