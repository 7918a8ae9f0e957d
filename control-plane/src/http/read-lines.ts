/** Bodies of many lines: one JSON object, an array of them, or NDJSON. Where a line does not fit, it is named, and none is taken. */
import { VedetteError } from "@vedette/protocol/errors";
import { maxLabelLines } from "@vedette/protocol/labels-api";
import type { Context } from "hono";
import type { z } from "zod";

const mostFaults = 5;

/** @throws VedetteError invalid_argument: which lines, and what is wrong with each; unsupported; too_large. */
export async function readLines<T extends z.ZodType>(c: Context, line: T): Promise<z.infer<T>[]> {
  const type = (c.req.header("Content-Type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const text = await c.req.text();
  const values = valuesOf(type, text);
  if (values.length === 0) throw new VedetteError("invalid_argument", "the body holds no line: send one at least");
  if (values.length > maxLabelLines) {
    throw new VedetteError(
      "too_large",
      `the body has ${values.length} lines, over ${maxLabelLines}: send them in parts`,
    );
  }
  const parsed: z.infer<T>[] = [];
  const faults: string[] = [];
  for (const { at, value } of values) {
    const result = line.safeParse(value);
    if (result.success) parsed.push(result.data);
    else if (faults.length < mostFaults) faults.push(`line ${at}: ${faultOf(result.error)}`);
  }
  if (faults.length === 0) return parsed;
  throw new VedetteError("invalid_argument", `nothing was taken: ${faults.join("; ")}`);
}

/** Each with its line, or its place in the array, from 1 on. */
function valuesOf(type: string, text: string): { at: number; value: unknown }[] {
  if (type === "application/json") {
    const value = parse(text, "the body");
    return (Array.isArray(value) ? value : [value]).map((one: unknown, i) => ({ at: i + 1, value: one }));
  }
  if (/^application\/(x-)?(ndjson|jsonl|json-lines)$/.test(type)) {
    return text.split("\n").flatMap((line, i) => {
      if (line.trim() === "") return [];
      return [{ at: i + 1, value: parse(line, `line ${i + 1}`) }];
    });
  }
  throw new VedetteError(
    "unsupported",
    `a body of "${type}" is not read: send application/json or application/x-ndjson`,
  );
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new VedetteError("invalid_argument", `${where} is no JSON`, { cause });
  }
}

function faultOf({ issues }: z.ZodError): string {
  const [issue] = issues;
  const where = issue?.path.join(".") ?? "";
  return `${where === "" ? "" : `${where}: `}${issue?.message ?? "does not fit"}`;
}
