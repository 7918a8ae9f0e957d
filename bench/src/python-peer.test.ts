import { expect, test } from "vitest";
import { openLinePeer } from "./python-peer.ts";

const answering = `
  require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { n } = JSON.parse(line);
    if (n > 2) { console.error("too much for me"); process.exit(7); }
    console.log(JSON.stringify({ double: 2 * n }));
  });`;

test("a peer answers line by line; one that ends says what it said last", async () => {
  const peer = openLinePeer(process.execPath, ["-e", answering]);
  expect(await peer.ask({ n: 1 })).toEqual({ double: 2 });
  expect(await peer.ask({ n: 2 })).toEqual({ double: 4 });
  await expect(peer.ask({ n: 3 })).rejects.toThrow(/ended \(7\)[\s\S]*too much for me/);
  await peer.close();
});

test("a peer that cannot be started is told as such", async () => {
  const peer = openLinePeer("/nowhere/python", []);
  await expect(peer.ask({})).rejects.toThrow(/ended \(.*ENOENT/);
  await peer.close();
});
