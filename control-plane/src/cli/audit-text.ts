/**
 * What an audit entry holds, in a line for people; `--json` has all of it. Pure. It knows no action: whoever adds one is told of,
 * too. Model and version come first, then why, then whatever else is short.
 */
type Detail = Readonly<Record<string, unknown>>;

const mostNamed = 3;
/** Told in words of their own, or told by others. */
const apart = new Set(["model", "version", "why", "reason", "before", "after"]);

/** @returns one line, however long: what stands at its end may be why. Empty where there is nothing to tell. */
export function describeDetail(detail: Detail): string {
  const { model, version, before, after } = detail;
  const what = [
    typeof model === "string" ? model : "",
    version === undefined ? "" : version === null ? "no version" : `version ${String(version)}`,
  ];
  const { reason, why } = detail;
  const said = typeof why === "string" && typeof reason === "string" && why.startsWith(reason);
  const whys = [said ? null : reason, why].filter((one) => typeof one === "string");
  const rest = Object.entries(detail).flatMap(([name, value]) => (apart.has(name) ? [] : (told(name, value) ?? [])));
  const all = [
    what.filter((one) => one !== "").join(" "),
    ...whys,
    ...changes(objectOf(before), objectOf(after)),
    ...rest,
  ];
  return all
    .filter((one) => one !== "")
    .join("; ")
    .replaceAll(/\s+/g, " ");
}

/** `revoked: - → lost`, of what is another. */
function changes(before: Detail | null, after: Detail | null): string[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].flatMap((name) => {
    const [was, is] = [before?.[name], after?.[name]].map((value) => briefly(value) ?? "-");
    return was === is ? [] : [`${worded(name)}: ${was} → ${is}`];
  });
}

function told(name: string, value: unknown): string | null {
  const text = briefly(value);
  if (text === null) return null;
  return typeof value === "object" ? `${worded(name)}: ${text}` : `${worded(name)} ${text}`;
}

/** Null where there is nothing, or more than a line can say. @param depth of what it holds that is told. */
function briefly(value: unknown, depth = 2): string | null {
  if (value === null || value === undefined || value === "") return null;
  // Of a digest or key a dozen digits tell it from others.
  if (typeof value === "string") return /^[0-9a-f]{32,}$/.test(value) ? value.slice(0, 12) : value;
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (depth === 0) return null;
  if (Array.isArray(value)) return listed(value.map((one) => briefly(one, 0)));
  const entries = Object.entries(objectOf(value) ?? {});
  // A selector that names all.
  if (entries.length === 1 && entries[0]?.[0] === "all") return "all devices";
  return listed(
    entries.flatMap(([name, one]) => {
      const text = briefly(one, depth - 1);
      return text === null ? [] : [`${worded(name)} ${text}`];
    }),
  );
}

function listed(parts: readonly (string | null)[]): string | null {
  const plain = parts.filter((one) => one !== null);
  if (plain.length === 0) return null;
  const more = plain.length - mostNamed;
  return `${plain.slice(0, mostNamed).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function objectOf(value: unknown): Detail | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Detail) : null;
}

/** `expiresAt` as `expires at`; a device's name stays as it is. */
function worded(name: string): string {
  return /^[a-z]+([A-Z][a-z]+)+$/.test(name) ? name.replaceAll(/[A-Z]/g, (one) => ` ${one.toLowerCase()}`) : name;
}
