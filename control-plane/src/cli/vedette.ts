#!/usr/bin/env node
/** The `vedette` command. */
import { nodeIo } from "./node-io.ts";
import { runCli } from "./run-cli.ts";

// A reader that has seen enough, as `head`, closes the pipe: no fault of anybody's.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
process.exitCode = await runCli(process.argv.slice(2), nodeIo);
