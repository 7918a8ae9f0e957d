/** `npm run bench --workspace bench -- <what>`: measures, prints, and keeps the result where asked. */
import { parseArgs } from "node:util";
import { measurePredict } from "./predict.ts";

const { values } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } });
console.log(values.json, await measurePredict({ rounds: 5, turnMs: 200 }));
