/** A process that writes and appends without end, for the test that kills it: prints how far each append surely came. */
import { writeSync } from "node:fs";
import { openFsStorage } from "../../src/node/fs-storage.ts";

const storage = await openFsStorage(process.argv[2] ?? "");
const spool = await storage.append("spool/log");
for (let n = 0; ; n++) {
  await storage.write("state/pins.json", new TextEncoder().encode(JSON.stringify({ n, filler: "x".repeat(20_000) })));
  spool.append(new Uint8Array(8).fill(n % 256));
  writeSync(1, `${n}\n`);
}
