#!/usr/bin/env node
/** The `vedette` command. */
import { nodeIo } from "./node-io.ts";
import { runCli } from "./run-cli.ts";

process.exitCode = await runCli(process.argv.slice(2), nodeIo);
