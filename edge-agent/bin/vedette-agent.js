#!/usr/bin/env node
/** The `vedette-agent` command for whatever Node it is started with: an older one cannot read TypeScript, and is told so. */
const needed = 24;

if (Number(process.versions.node.split(".")[0]) < needed) {
  process.stderr.write(
    `vedette-agent: this is Node ${process.versions.node}, and Node ${needed} is needed: run \`npx vedette-agent\` or an npm script, which bring it\n`,
  );
  process.exitCode = 1;
} else {
  const { becomeLean } = await import("../src/node/lean-process.ts");
  becomeLean();
  await import("../src/node/vedette-agent.ts");
}
