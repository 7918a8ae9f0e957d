/**
 * `vedette keys sync`: takes what other operators signed from the control plane into this operator's own copies. Nothing
 * unproven: each text must verify by what is here already, and nothing goes back.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { sha256 } from "../sha256.ts";
import { requireRoot } from "./init-trust.ts";
import { keepSigned, newestKept } from "./signed-metadata.ts";
import type { TrustApi } from "./trust-api.ts";
import { extensionOf, readRoot, readTargets, versionOf } from "./trust-metadata.ts";

/**
 * @param pinned sha256 of the first root, for a folder that holds no root yet.
 * @returns what was taken, by role.
 * @throws VedetteError invalid_argument (nothing to begin with), bad_signature, rollback.
 */
export async function syncTrust(
  api: Pick<TrustApi, "trust" | "metadata">,
  folder: string,
  pinned?: string,
): Promise<Record<string, number>> {
  const { versions } = requireRoot(await api.trust());
  const taken: Record<string, number> = {};
  const fetch = async (file: string): Promise<string> => {
    const text = await api.metadata(file);
    if (text !== undefined) return text;
    throw new VedetteError("not_found", `the control plane has no ${file}`);
  };
  const keep = async (role: string, text: string) => {
    await keepSigned(folder, role, text);
    taken[role] = versionOf(text);
  };

  let root = await newestKept(folder, "root");
  if (root === undefined) {
    root = await fetch("1.root.json");
    if (pinned === undefined) {
      throw new VedetteError(
        "invalid_argument",
        "there is no root here to begin with: give the sha256 of the first one with --root, as `keys init` printed it",
      );
    }
    if (sha256(root) !== pinned) {
      throw new VedetteError(
        "digest_mismatch",
        "the control plane's first root is not the one of --root: is it this site's?",
      );
    }
    await keep("root", root);
  }
  for (let next = versionOf(root) + 1; next <= (versions.root ?? 0); next++) {
    const text = await fetch(`${next}.root.json`);
    check("root", () => {
      const [before, after] = [readRoot(root as string), readRoot(text)];
      before.verifyDelegate("root", after);
      after.verifyDelegate("root", after);
    });
    if (versionOf(text) !== next)
      throw new VedetteError("rollback", `the control plane's root ${next} is another version`);
    root = text;
    await keep("root", text);
  }
  const trusted = readRoot(root);
  const take = async (
    role: string,
    verify: (text: string) => void,
    further: (text: string, kept: string) => void = () => {},
  ): Promise<string> => {
    const kept = await newestKept(folder, role);
    const text = await fetch(`${role}.json`);
    check(role, () => verify(text));
    if (kept !== undefined) further(text, kept);
    if (kept !== undefined && versionOf(text) < versionOf(kept)) {
      throw new VedetteError(
        "rollback",
        `the control plane serves ${role} version ${versionOf(text)}, and version ${versionOf(kept)} was signed here: it went back`,
      );
    }
    if (kept !== text) await keep(role, text);
    return text;
  };
  const targets = readTargets(
    await take("targets", (text) => trusted.verifyDelegate("targets", readTargets(text, "targets")), refuseLowerFloors),
    "targets",
  );
  for (const role of Object.keys(targets.signed.delegations?.roles ?? {})) {
    if (versions[role] !== undefined) await take(role, (text) => targets.verifyDelegate(role, readTargets(text, role)));
  }
  return taken;
}

/** Whoever signed it: what was revoked stays revoked. */
function refuseLowerFloors(text: string, kept: string): void {
  const { floors } = extensionOf(text);
  for (const [model, floor] of Object.entries(extensionOf(kept).floors)) {
    if ((floors[model] ?? 0) >= floor) continue;
    throw new VedetteError(
      "rollback",
      `the control plane serves targets that lower the floor of ${model} below ${floor}: floors only rise; nothing was taken`,
    );
  }
}

function check(role: string, verify: () => void): void {
  try {
    verify();
  } catch (cause) {
    throw new VedetteError(
      "bad_signature",
      `the control plane's ${role} does not verify by what is signed here (${messageOf(cause)}): nothing was taken`,
      { cause },
    );
  }
}
