import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex, toHex, utf8 } from "./bytes.ts";
import type { BatchHeader } from "./prediction-batch.ts";
import {
  commitment,
  commitsTo,
  inclusionProof,
  leafHash,
  leafOfRow,
  merkleRoot,
  type ReceiptValue,
  receiptContext,
  receiptValue,
  rootOfProof,
} from "./receipt.ts";

const hash = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(bytes).digest());
const leafOf = (bytes: Uint8Array): Uint8Array => hash(Buffer.concat([Buffer.of(0), bytes]));
const header: BatchHeader = {
  v: 2,
  agent: "seattle-1",
  stream: "rain-gauge",
  epoch: "00112233445566ff",
  seq: 7,
  firstN: 40,
  count: 2,
  digest: "ab".repeat(32),
  release: 2,
  classes: ["dry", "rain"],
  clock: { wall: 1_700_000_000_000, monotonic: 5000, offset: -12 },
  missing: [],
  withheld: {},
  receipts: { salt: "0f".repeat(16), root: "00".repeat(32), closed: ["in:wind", "entity"] },
  columns: [
    { name: "time", type: "f64" },
    { name: "confidence", type: "f32" },
    { name: "request", type: "text" },
    { name: "commit", type: "text" },
  ],
};

// The tree of certificate-transparency's own tests: eight leaves, roots of the first n of them.
const ctLeaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ctRoots = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

test("[B15] the tree is that of RFC 6962", () => {
  const leaves = ctLeaves.map((hex) => leafOf(fromHex(hex)));
  expect(ctRoots.map((_, i) => toHex(merkleRoot(hash, leaves.slice(0, i + 1))))).toEqual(ctRoots);
  expect(toHex(merkleRoot(hash, []))).toBe(toHex(hash(new Uint8Array(0))));
});

test("[B15] every leaf has a proof; no other leaf, place, count or proof leads to the root", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (count, some, flip) => {
      const leaves = Array.from({ length: count }, (_, i) => leafOf(utf8(`leaf ${i}`)));
      const root = merkleRoot(hash, leaves);
      const index = some % count;
      const leaf = leaves[index] as Uint8Array;
      const proof = inclusionProof(hash, leaves, index);
      expect(proof.length).toBeLessThanOrEqual(Math.ceil(Math.log2(count)));
      expect(rootOfProof(hash, leaf, index, count, proof)).toEqual(root);
      expect(rootOfProof(hash, leafOf(utf8("another")), index, count, proof)).not.toEqual(root);
      expect(rootOfProof(hash, leaf, count, count, proof)).toBeUndefined();
      expect(rootOfProof(hash, leaf, index, count, [...proof, leaf])).toBeUndefined();
      if (proof.length === 0) return;
      const wrong = proof.map((part, i) => (i === flip % proof.length ? part.with(0, (part[0] as number) ^ 1) : part));
      expect(rootOfProof(hash, leaf, index, count, wrong)).not.toEqual(root);
      expect(rootOfProof(hash, leaf, (index + 1) % count, count, proof)).not.toEqual(root);
    }),
  );
});

test("[B16] a leaf is these bytes, on every platform and for ever", () => {
  const row = { time: 1_700_000_000_001.5, confidence: Number.NaN, request: "Zürich", commit: "77".repeat(32) };
  expect(toHex(receiptContext(hash, header))).toMatchInlineSnapshot(
    `"617b47cc61b30a9cb3d3d7d1051a8a8ac2c7e41bf869fcf697aa2020a048673b"`,
  );
  expect(toHex(leafOfRow(hash, header, 40, row, row.commit))).toMatchInlineSnapshot(
    `"596e30518129c8d20b52fdea0b66bccd9ed7de9c8bffaf88ec009e157bc6ce9f"`,
  );
  expect(receiptValue(header, "time", row.time)).toBe(1_699_999_999_989_500);
});

test("[B16] whatever is changed of a row, its leaf is another one", () => {
  const value = fc.oneof(fc.double(), fc.string({ unit: "grapheme" }), fc.constant(null));
  const context = receiptContext(hash, header);
  const salt = fromHex("0f".repeat(16));
  const leaf = (n: number, values: ReceiptValue[]) => toHex(leafHash(hash, context, salt, n, values, null));
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 5 }),
      fc.array(value, { minLength: 1, maxLength: 5 }),
      (a, b) => {
        const same = a.length === b.length && a.every((one, i) => Object.is(one, b[i]));
        expect(leaf(4, a) === leaf(4, b)).toBe(same);
        expect(leaf(5, a)).not.toBe(leaf(4, a));
      },
    ),
  );
  for (const change of [
    { agent: "other" },
    { epoch: "11".repeat(8) },
    { digest: null },
    { classes: ["dry", "snow"] },
  ]) {
    expect(receiptContext(hash, { ...header, ...change })).not.toEqual(context);
  }
});

test("[B17] who holds the request can show what was withheld, and nobody can show anything else", () => {
  const withheld = { "in:wind": 3.5, entity: "station-é" };
  const commit = toHex(commitment(hash, fromHex("0f".repeat(16)), 41, [3.5, "station-é"]));
  expect(commitsTo(hash, header, 41, withheld, commit)).toBe(true);
  expect(commitsTo(hash, header, 40, withheld, commit)).toBe(false);
  expect(commitsTo(hash, header, 41, { ...withheld, "in:wind": 3.25 }, commit)).toBe(false);
  expect(commitsTo(hash, header, 41, { "in:wind": 3.5 }, commit)).toBe(false);
  expect(commitsTo(hash, { ...header, receipts: null }, 41, withheld, commit)).toBe(false);
});
