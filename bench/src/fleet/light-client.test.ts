import fc from "fast-check";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import { packetReader } from "./light-client.ts";

test("packets come out whole, wherever the stream was cut", () => {
  const packets = fc.array(
    fc.record({ topic: fc.stringMatching(/^[a-z]{1,20}$/), payload: fc.uint8Array({ maxLength: 400 }) }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(packets, fc.array(fc.nat(300), { minLength: 1, maxLength: 20 }), (sent, cuts) => {
      const bytes = Buffer.concat([
        ...sent.map(({ topic, payload }) =>
          generate({ cmd: "publish", topic, payload: Buffer.from(payload), qos: 0, dup: false, retain: false }),
        ),
        generate({ cmd: "pingresp" }),
      ]);
      const got: { head: number; body: Buffer }[] = [];
      const read = packetReader((head, body) => void got.push({ head, body }));
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const length = 1 + (cuts[i % cuts.length] as number);
        read(bytes.subarray(at, at + length));
        at += length;
      }
      expect(got).toHaveLength(sent.length + 1);
      for (const [i, { topic, payload }] of sent.entries()) {
        const body = got[i]?.body as Buffer;
        expect(body.subarray(2, 2 + topic.length).toString()).toBe(topic);
        expect(body.subarray(2 + topic.length)).toEqual(Buffer.from(payload));
      }
      expect(got.at(-1)).toEqual({ head: 0xd0, body: Buffer.alloc(0) });
    }),
  );
});
