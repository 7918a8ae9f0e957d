#!/usr/bin/env node
/** The `vedette` command for whatever Node it is started with: an older one cannot read TypeScript, and is told so. */
const needed = 24;

if (Number(process.versions.node.split(".")[0]) < needed) {
  process.stderr.write(
    `vedette: this is Node ${process.versions.node}, and Node ${needed} is needed: run \`npx vedette\` or an npm script, which bring it\n`,
  );
  process.exitCode = 1;
} else {
  await import("../src/cli/vedette.ts");
}
