/** Whatever a sender says and is not refused makes frames that the prediction log takes, value by value. */
import { generateKeyPairSync, sign } from "node:crypto";
import { VedetteError } from "@vedette/protocol/errors";
import { maxBodyBytes, openFrame } from "@vedette/protocol/prediction-batch";
import { type WatchSpec, watchAgent, watchRow } from "@vedette/protocol/watch-api";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkFrame, unpackFrame } from "../frame-check.ts";
import { readEvents } from "./events.ts";
import { framesOf, type WatchedPrediction } from "./frames.ts";
import { readRequest, readResponse, readRow } from "./payloads.ts";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const publicKeyHex = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
const signer = { publicKeyHex, sign: (bytes: Uint8Array) => sign(null, bytes, privateKey).toString("hex") };
const spec: WatchSpec = {
  fields: [
    { kind: "number", name: "torque" },
    { kind: "category", name: "site", categories: ["a", "b"] },
  ],
  task: "classification",
  classes: ["no", "yes"],
  drift: { windowRows: 50, alpha: 0.001 },
};
const place = { model: "pump", digest: null, release: null, epoch: "00112233445566aa", seq: 4, n: 70 };

const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer());
const text = fc.string({ unit: "binary", maxLength: 40 });
const row = fc.record(
  {
    id: fc.string({ minLength: 1, maxLength: 20 }),
    entity: text,
    inputs: fc.oneof(
      fc.record({ torque: fc.option(number), site: fc.option(fc.oneof(text, number, fc.boolean())) }),
      fc.tuple(fc.option(number), text),
    ),
    label: fc.oneof(text, number, fc.boolean()),
    value: number,
    scores: fc.dictionary(fc.constantFrom("no", "yes"), number),
    latencyMs: fc.nat(),
  },
  { requiredKeys: ["id"] },
);

test("[Z18] every row that is not refused is taken by the log as it was", () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), (rows) => {
      // As it comes: through JSON.
      const taken = rows.map((one) => {
        const parsed = watchRow.parse(JSON.parse(JSON.stringify(one)));
        return { parsed, ...readRow(parsed, spec) };
      });
      const predictions = taken.map(({ parsed, inputs, output }): WatchedPrediction => {
        const { entity = null, latencyMs = null, id: request } = parsed;
        return { time: 1_800_000_000_000, latencyMs, entity, request, inputs, output };
      });
      const made = framesOf(predictions, spec.fields, place, signer, 1_800_000_000_000);
      expect(made.frames).toHaveLength(1);
      const checked = checkFrame(watchAgent, "pump", made.frames[0] ?? new Uint8Array(), [publicKeyHex]);
      expect(checked).toMatchObject({ kind: "good", batch: { header: { firstN: 70, seq: 4, count: rows.length } } });
      const { header, columns } = unpackFrame(made.frames[0] ?? new Uint8Array());
      for (const [i, { inputs, output, parsed }] of taken.entries()) {
        const torque = inputs?.[0] ?? null;
        expect(columns["in:torque"]?.[i]).toEqual(torque === null ? Number.NaN : Math.fround(Number(torque)));
        expect(columns["in:site"]?.[i]).toEqual(inputs?.[1] ?? null);
        expect(columns.entity?.[i]).toEqual(parsed.entity ?? null);
        const label = header.classes?.[columns["out:label"]?.[i] as number] ?? null;
        expect(label).toEqual(output.label);
      }
    }),
    { numRuns: 200 },
  );
});

test("[Z18] whatever bytes come, nothing but a refusal is thrown", () => {
  const types = [
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain",
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.oneof(fc.string(), fc.json()),
      fc.option(fc.string()),
      (type, body, id) => {
        const headers: Record<string, string | undefined> = { "content-type": type, "ce-id": id ?? undefined };
        const event = { specversion: "1.0", id: "1", type: "org.kubeflow.serving.inference.request" };
        for (const sent of [
          body,
          JSON.stringify({ ...event, data: body }),
          JSON.stringify([{ ...event, data: body }]),
        ]) {
          try {
            for (const one of readEvents((name) => headers[name], sent)) {
              if (one.kind === "request") readRequest(one.data, spec);
              else if (one.kind === "response") readResponse(one.data, spec);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(VedetteError);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("rows of named values, in order, of one tensor and of a tensor a field say the same", () => {
  const value = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }));
  fc.assert(
    fc.property(fc.array(fc.tuple(value, fc.option(fc.constantFrom("a", "z"))), { minLength: 1 }), (rows) => {
      const n = rows.length;
      const tensor = (name: string, shape: number[], data: unknown) => ({ name, shape, datatype: "FP64", data });
      const bodies = [
        { instances: rows },
        { instances: rows.map(([torque, site]) => ({ site, torque })) },
        { inputs: [tensor("x", [n, 2], rows)] },
        { inputs: [tensor("x", [n, 2], rows.flat())] },
        {
          inputs: [
            tensor(
              "site",
              [n, 1],
              rows.map((one) => [one[1]]),
            ),
            tensor(
              "torque",
              [n],
              rows.map((one) => one[0]),
            ),
          ],
        },
      ];
      for (const body of bodies) expect(readRequest(body, spec).rows).toEqual(rows);
    }),
  );
});

test("more than a batch may hold becomes several, numbered on", () => {
  const one: WatchedPrediction = {
    ...{ time: 0, latencyMs: null, entity: null, request: "r".repeat(200), output: null },
    inputs: [1, "x".repeat(1000)],
  };
  const { frames, rows } = framesOf(new Array(12_000).fill(one), spec.fields, place, signer, 0);
  expect(rows).toBe(12_000);
  let [seq, n] = [4, 70];
  for (const frame of frames) {
    const { header } = unpackFrame(frame);
    expect([header.seq, header.firstN]).toEqual([seq, n]);
    expect(openFrame(frame).bodyLength).toBeLessThanOrEqual(maxBodyBytes);
    seq++;
    n += header.count;
  }
  expect([n, frames.length > 2]).toEqual([12_070, true]);
});
