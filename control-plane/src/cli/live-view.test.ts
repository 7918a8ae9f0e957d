import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import type { Io } from "./io.ts";
import { followUntilOver } from "./live-view.ts";

interface Seen {
  readonly at: number;
  readonly endedAt: string | null;
}

/** Follows what each look answers, or fails with. */
async function follow(
  looks: readonly (Seen | Error)[],
  {
    json = false,
    screen = false,
    columns = () => 80,
  }: { json?: boolean; screen?: boolean; columns?: () => number } = {},
) {
  let [out, err, asked] = ["", "", 0];
  const io: Io = {
    ...{ env: {}, terminal: screen, screen, columns, now: () => 0, monotonic: () => 0 },
    pause: async () => {},
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    run: () => Promise.reject(new Error("nothing is run here")),
    interrupted: () => new Promise(() => {}),
  };
  const look = async () => {
    const next = looks[asked++];
    if (next === undefined || next instanceof Error) throw next ?? new Error("asked too often");
    return next;
  };
  const view = { look, whole: ({ at }: Seen) => `at ${at}\nand more\n`, line: ({ at }: Seen) => `at ${at}` };
  const last = await followUntilOver(io, json, 1, view).catch((error: unknown) => error);
  return { last, out, err };
}
const at = (moment: number, endedAt: string | null = null): Seen => ({ at: moment, endedAt });
const away = new VedetteError("offline", "http://127.0.0.1:7700 does not answer");

test("a control plane that is restarted is told once, and what went on meanwhile is seen when it is back", async () => {
  const looks = [at(1), away, away, away, at(1), away, at(2, "then")];
  const lines = await follow(looks);
  expect(lines).toMatchObject({ last: { at: 2 }, out: "at 1\nat 1\nat 2\n" });
  expect(lines.err.match(/does not answer; it is asked again/g)).toHaveLength(2);
  const json = await follow(looks, { json: true });
  expect(
    json.out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as Seen).at),
  ).toEqual([1, 1, 2]);
  expect(JSON.parse(json.err.split("\n")[0] ?? "")).toMatchObject({ error: { code: "offline" } });
  // On a screen nothing is drawn over that was not drawn since.
  const drawn = await follow([at(1), at(2), away, at(3), at(4, "then")], { screen: true });
  expect(drawn.out).toBe(
    "at 1\nand more\n\u001b[2A\u001b[Jat 2\nand more\nat 3\nand more\n\u001b[2A\u001b[Jat 4\nand more\n",
  );
});

test("[R68] on a narrow terminal, and one that is made narrower meanwhile, what is drawn over is all that was drawn", async () => {
  const widths = [5, 3];
  const drawn = await follow([at(1), at(20), at(3, "then")], { screen: true, columns: () => widths.shift() ?? 80 });
  // Of five characters `and more` takes two lines; of three it takes three, and `at 20` two.
  expect(drawn.out).toBe("at 1\nand more\n\u001b[3A\u001b[Jat 20\nand more\n\u001b[5A\u001b[Jat 3\nand more\n");
});

test("one that never answered, or says no, ends it", async () => {
  expect((await follow([away])).last).toBe(away);
  const no = new VedetteError("unauthenticated", "the token was revoked");
  expect((await follow([at(1), no])).last).toBe(no);
});
