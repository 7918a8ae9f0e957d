#!/usr/bin/env node
/** The `vedette` command for whatever Node it is started with: an older one cannot read TypeScript, and is told so. */
const needed = 24;

if (Number(process.versions.node.split(".")[0]) < needed) {
  process.stderr.write(
    `vedette: this is Node ${process.versions.node}, and Node ${needed} is needed: run \`npx vedette\` or an npm script, which bring it, or put this command's folder first in PATH\n`,
  );
  process.exitCode = 1;
} else {
  // What stays for months shall not keep 128 MB of young generation, nor an arena a thread (docs/decisions/0021). Both are
  // read when a process starts, so this one starts over as itself.
  if (process.argv[2] === "up" && process.platform === "linux" && process.env.MALLOC_ARENA_MAX === undefined) {
    const argv = [process.execPath, "--max-semi-space-size=8", ...process.execArgv, ...process.argv.slice(1)];
    process.execve?.(process.execPath, argv, { ...process.env, MALLOC_ARENA_MAX: "2" });
  }
  await import("../src/cli/vedette.ts");
}
