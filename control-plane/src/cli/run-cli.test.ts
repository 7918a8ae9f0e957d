import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { enrollmentToken } from "@vedette/protocol/api";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { runCaptured } from "../../test/run-captured.ts";
import { type ControlPlane, parseConfig, startControlPlane } from "../main.ts";

const models = fileURLToPath(new URL("../../../fixtures/models/written/", import.meta.url));

let home: string;
let controlPlane: ControlPlane;
let ran: { file: string; args: readonly string[] }[] = [];
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-cli-"));
  controlPlane = await startControlPlane(
    parseConfig({ home, site: "house", port: 0, mqttPort: 0, wsPort: 0, logLevel: "silent" }),
  );
});
afterAll(async () => {
  await controlPlane.close();
  await rm(home, { recursive: true });
});

async function vedette(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return vedetteIn({ VEDETTE_URL: controlPlane.url, VEDETTE_HOME: home }, ...args);
}
let terminal = false;
async function vedetteIn(env: Record<string, string>, ...args: string[]) {
  return runCaptured(args, {
    env,
    terminal,
    run: async (file, rest) => {
      ran.push({ file, args: rest });
      return 7;
    },
  });
}

describe("a site from nothing to an assigned model", () => {
  it("cannot publish before it has a root of trust", async () => {
    const refused = await vedette("model", "publish", ...(await publishFlags()));
    expect(refused).toMatchObject({ code: 1, out: "", err: expect.stringContaining("vedette keys init") });
  });

  it("gets its root once", async () => {
    expect(await vedette("keys", "init")).toMatchObject({
      code: 0,
      out: expect.stringContaining("Site house has its root"),
    });
    expect(await vedette("keys", "init")).toMatchObject({
      code: 1,
      err: expect.stringContaining("has a root of trust already"),
    });
  });

  it("publishes, and says that publishing again changes nothing", async () => {
    const first = await vedette("model", "publish", ...(await publishFlags()));
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toContain("Published linear version 1");
    expect(first.out).toContain("inputs   a, b");
    expect(first.out).toContain("r2 1");
    const again = await vedette("model", "publish", ...(await publishFlags()), "--json");
    expect(JSON.parse(again.out)).toMatchObject({ outcome: "unchanged", version: { version: 1 }, sentBytes: 0 });
    const second = await vedette("model", "publish", ...(await publishFlags()), "--cache-age", "1h", "--json");
    expect(JSON.parse(second.out)).toMatchObject({ outcome: "published", version: { version: 2 } });
  });

  it("lists versions, for people and for programs", async () => {
    const people = await vedette("model", "list");
    expect(people.out.split("\n")[0]).toMatch(/^MODEL +VERSION +STATE +TASK +DIGEST/);
    expect(people.out).toMatch(/^linear +1 +- +regression/m);
    const programs = JSON.parse((await vedette("model", "list", "--json")).out);
    expect(programs.models[0].versions).toHaveLength(2);
  });

  it("assigns the newest version, or the one named, to exactly one choice of devices", async () => {
    expect(await vedette("model", "assign", "--name", "linear", "--all")).toMatchObject({
      code: 0,
      out: "linear version 2 for no device yet.\n",
    });
    const labelled = await vedette(
      "model",
      "assign",
      "--name",
      "linear",
      "--version",
      "1",
      "--label",
      "a=b",
      "--label",
      "c=d",
      "--json",
    );
    expect(JSON.parse(labelled.out)).toMatchObject({ version: 1, devices: [] });
    expect(await vedette("model", "assign", "--name", "linear")).toMatchObject({
      code: 1,
      err: expect.stringContaining("exactly one of"),
    });
    expect(await vedette("model", "assign", "--name", "other", "--all")).toMatchObject({
      code: 1,
      err: expect.stringContaining("vedette model list"),
    });
  });

  it("prints an enrolment token alone on stdout", async () => {
    const made = await vedette("device", "enroll", "--label", "city=seattle", "--ttl", "15m", "--uses", "3");
    expect(made.code).toBe(0);
    const token = enrollmentToken.parse(JSON.parse(Buffer.from(made.out.trim(), "base64url").toString()));
    expect(token.site).toBe("house");
    expect(made.err).toContain("for 3 devices");
    expect(await vedette("device", "list")).toMatchObject({ code: 0, out: expect.stringContaining("No devices yet") });
  });

  it("answers what is in production, and queries predictions", async () => {
    const { code, out } = await vedette("production");
    expect(code).toBe(0);
    // Nobody is enrolled: what is published and assigned is told all the same.
    expect(out).toContain("linear version 2: assigned, and no device has it yet");
    expect(out).toContain("assigned to   all devices");
    expect(out).toContain("linear version 1: assigned");
    expect(await vedette("prediction", "query", "--model", "linear", "--limit", "5")).toMatchObject({
      code: 0,
      out: "No predictions fit; an answer's row comes about ten seconds after the answer.\n",
    });
    for (const [option, name] of [
      ["--model", "pumpp"],
      ["--device", "pump-9"],
    ] as const) {
      expect(await vedette("prediction", "query", option, name)).toMatchObject({
        code: 1,
        out: "",
        err: expect.stringContaining(`there is no ${option.slice(2).replace("agent", "device")} ${name}`),
      });
    }
    const cut = await vedette("prediction", "query", "--limit", "2", "--sql", "SELECT range FROM range(5)");
    expect(cut).toMatchObject({
      code: 0,
      out: "RANGE\n0\n1\n",
      err: expect.stringContaining("more than these 2 rows"),
    });
    const whole = await vedette("prediction", "query", "--limit", "5", "--json", "--sql", "SELECT range FROM range(5)");
    expect(JSON.parse(whole.out)).toMatchObject({ truncated: false });
    const counted = await vedette("prediction", "query", "--sql", "SELECT count(*) AS n FROM predictions");
    expect(counted.out).toBe("N\n0\n");
    const both = await vedette("prediction", "query", "--model", "linear", "--sql", "SELECT 1");
    expect(both).toMatchObject({ code: 1, err: expect.stringContaining("leave the other filters out") });
  });

  it("renews signatures", async () => {
    const renewed = await vedette("keys", "renew", "--json");
    expect(JSON.parse(renewed.out)).toMatchObject({ outcome: "put", versions: { targets: 3, "project-linear": 3 } });
  });
});

describe("publishing says", () => {
  it("what an answer may take, and what becomes of slower ones", async () => {
    const rules = join(home, "rules.json");
    await writeFile(rules, '[{"answer": 1}]');
    const first = await vedette("model", "publish", ...(await publishFlags()), "--trained-at", "2026-01-01");
    expect(first.out).toContain("budget   250 ms an answer; no fallback: slower ones are 503 (--rules, --cache-age)\n");
    const flags = [...(await publishFlags()), "--rules", rules, "--cache-age", "1h"];
    const second = await vedette("model", "publish", ...flags);
    expect(second.out).toContain("slower ones are answered by the entity's last answer, then the rules\n");
  });

  it.each([
    ['{"answer": 1}', "the file holds no list of rules"],
    ['[{"answer": null}]', "rule 1, answer: is a class's name, or a number"],
    ['[{"answer": 1, "if": []}]', 'rule 1: Unrecognized key: "if"'],
    ['[{"answer": 1, "when": [{"field": "c", "op": ">", "value": 1}]}]', 'rule 1 asks for "c"'],
    ["answer 1", "is not JSON"],
  ])("rules that do not fit are named with their file: %s", async (content, why) => {
    const rules = join(home, "wrong-rules.json");
    await writeFile(rules, content);
    const { code, err } = await vedette("model", "publish", ...(await publishFlags()), "--rules", rules);
    expect([code, err]).toEqual([1, expect.stringContaining(`--rules ${rules}`)]);
    expect(err).toContain(why);
  });

  it("that a model and reference data that were swapped", async () => {
    const [, , , model, , reference] = (await publishFlags()) as [string, string, string, string, string, string];
    const swapped = await vedette("model", "publish", "--name", "x", "--model", reference, "--reference", model);
    expect(swapped).toMatchObject({ code: 1, err: expect.stringContaining("are --model and --reference swapped?") });
    const twice = await vedette("model", "publish", "--name", "x", "--model", model, "--reference", model);
    expect(twice).toMatchObject({ code: 1, err: expect.stringContaining(`--reference ${model} is a binary file`) });
  });
});

describe("up", () => {
  const ports = ["--port", "0", "--mqtt-port", "0", "--ws-port", "0"];

  it("starts a control plane, says where, and ends when it is interrupted", async () => {
    const env = { VEDETTE_LOG_LEVEL: "silent" };
    const up = await vedetteIn(
      env,
      "up",
      "--home",
      join(home, "up"),
      "--site",
      "other",
      ...ports,
      "--no-page",
      "--json",
    );
    expect(up).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(up.out)).toMatchObject({ ready: true, site: "other", url: expect.stringMatching(/^http:/) });
  });

  it("a page that cannot be built is told, and stops nothing", async () => {
    const env = { VEDETTE_LOG_LEVEL: "silent" };
    const up = await vedetteIn(env, "up", "--home", join(home, "up"), "--site", "other", ...ports);
    expect(up).toMatchObject({ code: 0, err: expect.stringContaining("could not be built (exit code 7)") });
  });

  it("somebody at a terminal is told in words what happens, and no JSON", async () => {
    terminal = true;
    onTestFinished(() => {
      terminal = false;
    });
    const up = await vedetteIn({}, "up", "--home", join(home, "up"), "--site", "other", ...ports, "--no-page");
    expect(up).toMatchObject({ code: 0, out: expect.stringContaining("Site other is up at http://127.0.0.1:") });
    expect(up.err).toMatch(/^Stopping: .*\nStopped\. .*\n$/);
  });

  it.each([
    ["--port", (plane: ControlPlane) => new URL(plane.url).port],
    ["--mqtt-port", (plane: ControlPlane) => new URL(plane.mqttUrl).port],
    ["--ws-port", (plane: ControlPlane) => new URL(plane.mqttWsUrl).port],
  ])("a taken port is named, with %s", async (flag, portOf) => {
    const port = portOf(controlPlane);
    const flags = ["--home", join(home, "up"), "--site", "other", ...ports, flag, port, "--no-page"];
    const up = await vedetteIn({ VEDETTE_LOG_LEVEL: "silent" }, "up", ...flags);
    expect(up.err).toMatch(new RegExp(`port ${port}: another program .* ${flag}\\n$`));
    expect(up.out).toBe("");
  });

  it("a home of another site is refused", async () => {
    const env = { VEDETTE_LOG_LEVEL: "silent" };
    const up = await vedetteIn(env, "up", "--home", join(home, "up"), "--site", "third", ...ports);
    expect(up).toMatchObject({ code: 1, out: "", err: expect.stringContaining("other") });
  });
});

describe("agent run", () => {
  it("hands every flag to the agent's own command, and takes its exit code", async () => {
    ran = [];
    const { code } = await vedette("agent", "run", "--home", "./station", "--json", "--label", "a=b");
    expect(code).toBe(7);
    expect(ran).toEqual([
      {
        file: expect.stringMatching(/vedette-agent\.js$/),
        args: ["run", "--home", "./station", "--json", "--label", "a=b"],
      },
    ]);
  });
});

describe("faults", () => {
  it.each([
    ["an unknown command", ["modle"], "unknown command 'modle'"],
    ["an unknown option", ["model", "list", "--colour"], "unknown option '--colour'"],
    ["a missing option", ["model", "publish", "--name", "x"], "required option '--model <file>' not specified"],
    ["a name that is none", ["model", "publish", "--name", "Rain Gauge"], "a model name is 1-63 of a-z 0-9 -"],
    ["a duration", ["device", "enroll", "--ttl", "soon"], "90s, 15m, 1h or 7d"],
    ["a duration too", ["prediction", "erase", "--entity", "x", "--ttl", "30"], "90s, 15m, 1h or 7d"],
    ["a label", ["device", "enroll", "--label", "seattle"], "key=value"],
    ["a source", ["prediction", "query", "--source", "oracle"], "Allowed choices are model, cache, rule, none"],
    [
      "too small a window",
      ["model", "publish", "--drift-window", "5"],
      "--drift-window <rows>' argument '5' is invalid",
    ],
    ["no rows at all", ["prediction", "query", "--limit", "0"], "a whole number from 1 to 100000"],
    ["a token for nobody", ["device", "enroll", "--uses", "0"], "a whole number from 1 to 100000"],
    ["a port", ["up", "--port", "many"], "port (VEDETTE_PORT)"],
    ["an address", ["model", "list", "--url", "here"], "--url here is no address"],
    ["no command at all", [], "vedette --help"],
    ["an agent's option before its command", ["--home", "x", "agent", "run"], "come after `agent run`"],
  ])("%s is the caller's: exit 1", async (_what, args, message) => {
    expect(await vedette(...args)).toMatchObject({ code: 1, out: "", err: expect.stringContaining(message) });
  });

  it("errors come as JSON where answers do", async () => {
    const { code, err } = await vedette("model", "list", "--json", "--colour");
    expect(code).toBe(1);
    expect(JSON.parse(err)).toMatchObject({ error: { code: "invalid_argument" } });
  });

  it("no token, a wrong token, and nobody there are told apart", async () => {
    const nowhere = join(home, "nowhere");
    const none = await vedetteIn({ VEDETTE_URL: controlPlane.url, VEDETTE_HOME: nowhere }, "model", "list");
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining("--token-file") });
    const wrong = await vedetteIn({ VEDETTE_URL: controlPlane.url, VEDETTE_TOKEN: "wrong" }, "model", "list", "--json");
    expect(wrong.code).toBe(1);
    expect(JSON.parse(wrong.err)).toMatchObject({
      error: { code: "unauthenticated", message: expect.stringContaining("token from VEDETTE_TOKEN is not that of") },
    });
    const file = join(home, "no-token.json");
    await writeFile(file, '{"a secret": "of another kind"}\n');
    const other = await vedetteIn({ VEDETTE_URL: controlPlane.url }, "model", "list", "--token-file", file);
    expect(other).toMatchObject({ code: 1, err: expect.stringContaining(`${file} holds no operator token`) });
    expect(other.err).not.toContain("secret");
    const token = await readFile(join(home, "operator.token"), "utf8");
    const away = await vedetteIn({ VEDETTE_URL: "http://127.0.0.1:9", VEDETTE_TOKEN: token }, "model", "list");
    expect(away).toMatchObject({ code: 2, err: expect.stringContaining("vedette up") });
  });

  it("the overview walks from a model to a watched fleet, and says what exit codes mean", async () => {
    const { code, out } = await vedette("--help");
    expect(code).toBe(0);
    for (const step of [
      "up",
      "keys init",
      "model publish",
      "model assign",
      "device enroll",
      "agent run",
      "production",
    ]) {
      expect(out).toMatch(new RegExp(`vedette ${step}\\b`));
    }
    expect(out).toContain("Exit codes: 0 ok, 1 yours to mend");
    expect(await vedette("--version")).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it("every command has an example and the exit codes in its help, and takes --json", async () => {
    /** Verbs of a noun, as its help lists them; `agent` and `predict` are the agent's own, and tested there. */
    const verbs = (help: string) =>
      [...(help.split("\nCommands:\n")[1]?.split("\n\n")[0] ?? "").matchAll(/^ {2}([a-z]+)/gm)]
        .map(([, verb]) => verb as string)
        .filter((verb) => !["help", "agent", "predict"].includes(verb));
    const seen: string[] = [];
    const walk = async (...path: string[]): Promise<void> => {
      const help = await vedette(...path, "--help");
      expect(help, path.join(" ")).toMatchObject({ code: 0, err: "" });
      expect(help.out).toContain("Exit codes: 0 ok, 1 yours to mend");
      expect(help.out).toContain("--json");
      const inner = verbs(help.out);
      for (const verb of inner) await walk(...path, verb);
      if (inner.length > 0) return;
      expect(help.out, path.join(" ")).toMatch(new RegExp(`\\nExample:\\n +\\$ (vedette ${path.join(" ")}\\b)`));
      seen.push(path.join(" "));
    };
    await walk();
    expect(seen).toEqual(expect.arrayContaining(["up", "model revoke", "operator token rotate", "prediction verify"]));
    expect(seen.length).toBeGreaterThan(35);
  });
});

async function publishFlags(): Promise<string[]> {
  const reference = join(home, "reference.csv");
  const rows = Array.from({ length: 600 }, (_, i) => `${i % 50},${i % 7},${2 * (i % 50) - 3 * (i % 7) + 0.5}`);
  await writeFile(reference, `a,b,y\n${rows.join("\n")}\n`);
  return ["--name", "linear", "--model", join(models, "linear.onnx"), "--reference", reference, "--label", "y"];
}
