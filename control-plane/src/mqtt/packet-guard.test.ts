import fc from "fast-check";
import { expect, test } from "vitest";
import { createPacketGuard } from "./packet-guard.ts";

/** A PUBLISH of topic `t` (3.1.1, sections 2.2.3 and 3.3). */
function publish(size: number): Buffer {
  const length = size + 3;
  const header = length < 128 ? [length] : [(length % 128) | 0x80, Math.floor(length / 128)];
  return Buffer.concat([Buffer.from([0x30, ...header, 0, 1, 0x74]), Buffer.alloc(size)]);
}

/** Splits bytes at arbitrary places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const packets = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 8 });

test("lets every packet within the limit pass, however the bytes are cut", () => {
  fc.assert(
    fc.property(packets, fc.array(fc.nat(), { maxLength: 30 }), (sizes, cuts) => {
      const encoded = sizes.map(publish);
      const limit = Math.max(...encoded.map((packet) => packet.length));
      const guard = createPacketGuard();
      for (const piece of pieces(Buffer.concat(encoded), cuts)) expect(guard.see(piece, limit)).toBeUndefined();
    }),
  );
});

test("[Q2] stops at the first packet over the limit, however the bytes are cut", () => {
  fc.assert(
    fc.property(packets, fc.array(fc.nat(), { maxLength: 30 }), (sizes, cuts) => {
      const encoded = sizes.map(publish);
      const limit = Math.max(...encoded.map((packet) => packet.length)) - 1;
      const guard = createPacketGuard();
      expect(pieces(Buffer.concat(encoded), cuts).some((piece) => guard.see(piece, limit) !== undefined)).toBe(true);
    }),
  );
});

test("a length without an end is refused", () => {
  expect(createPacketGuard().see(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80]), 1e9)).toMatch(/no end/);
});
