import { PassThrough, Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { webStream } from "./web-stream.ts";

test("[S61] a client that goes away ends the stream, and nothing else, whenever it goes", async () => {
  for (const reads of [0, 1, 2, 5]) {
    const stream = new PassThrough();
    for (let i = 0; i < 40; i++) stream.write(Buffer.alloc(65_536));
    const reader = webStream(stream).getReader();
    await setImmediate();
    for (let i = 0; i < reads; i++) {
      expect((await reader.read()).done).toBe(false);
      stream.write(Buffer.alloc(65_536));
    }
    const last = reader.read();
    await reader.cancel();
    await last;
    // A throw that nobody catches comes by now, and fails the run.
    await setImmediate();
    expect(stream.destroyed).toBe(true);
  }
});

test("one that nobody read from is ended, too", async () => {
  const stream = new PassThrough();
  await webStream(stream).cancel();
  expect(stream.destroyed).toBe(true);
});

test("all bytes come in order, and a fault is told", async () => {
  const bytes = [Buffer.from("one "), Buffer.from("two "), Buffer.from("three")];
  expect(await new Response(webStream(Readable.from(bytes))).text()).toBe("one two three");
  const broken = new PassThrough();
  const answer = new Response(webStream(broken)).text();
  broken.destroy(new Error("disk"));
  await expect(answer).rejects.toThrow("disk");
});
