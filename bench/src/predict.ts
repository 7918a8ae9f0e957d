/**
 * The whole predict path in process against bare `session.run` of the same model, and what each part of it costs.
 * Equal work: both answer 32 rows that came in one tick, each subject from the same varied inputs.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { LoggedRows, LoggedVersion } from "../../edge-agent/src/core/log/logged-rows.ts";
import { describeVersion } from "../../edge-agent/src/core/log/logged-rows.ts";
import { inputCheckOf } from "../../edge-agent/src/core/serve/check-input.ts";
import { feederOf } from "../../edge-agent/src/core/serve/feeds.ts";
import { sessionOptions } from "../../edge-agent/src/node/ort-tensors.ts";
import { fieldCount, sensorRows } from "./inputs.ts";
import { figuresOf, interleave, type RoundOptions, type Subject } from "./rounds.ts";
import { batch, openServedMlp, type ServedModel, type Written } from "./served-model.ts";
import { modelName } from "./serving/models.ts";

export interface PredictResult {
  /** Predictions a second. */
  readonly bare: number;
  readonly bareOneByOne: number;
  readonly full: number;
  readonly fullRows: number;
  /** Of throughput: 32 requests of a row against a bare run of 32; the same for one request of 32 rows. */
  readonly ratio: number;
  readonly ratioRows: number;
  /** Of throughput: 32 requests, coalesced, against 32 bare runs of one row. */
  readonly ratioOneByOne: number;
  /** CPU µs a request. */
  readonly cpu: {
    readonly bare: number;
    readonly bareOneByOne: number;
    readonly full: number;
    readonly fullRows: number;
    readonly check: number;
    readonly features: number;
    readonly drift: number;
    readonly log: number;
    /** The same where every prediction gets a receipt: how models are published by default. */
    readonly logWithReceipts: number;
    /** check + features + drift + log, without receipts. */
    readonly parts: number;
  };
  readonly bytesPerPrediction: number;
}

const distinct = 4096;
/** Groups of `batch` rows between two looks at the clock. */
const stride = 8;

export async function measurePredict(options: RoundOptions): Promise<PredictResult> {
  const served = await openServedMlp();
  const bare = await InferenceSession.create(served.model, sessionOptions);
  try {
    const written: Written[] = [];
    const paths = pathSubjects(served, bare, async () => void written.push(await served.settle()));
    const all = await interleave([...paths, ...partSubjects(served)], options);
    const of = (name: string) => figuresOf(all, name);
    const [check, features, drift, log] = ["check", "features", "drift", "log"].map((part) => of(part).cpuMicros) as [
      number,
      number,
      number,
      number,
    ];
    return {
      bare: of("bare").perSecond,
      bareOneByOne: of("bare one by one").perSecond,
      full: of("full").perSecond,
      fullRows: of("full, rows").perSecond,
      ratio: of("full").perSecond / of("bare").perSecond,
      ratioRows: of("full, rows").perSecond / of("bare").perSecond,
      ratioOneByOne: of("full").perSecond / of("bare one by one").perSecond,
      cpu: {
        bare: of("bare").cpuMicros,
        bareOneByOne: of("bare one by one").cpuMicros,
        full: of("full").cpuMicros,
        fullRows: of("full, rows").cpuMicros,
        check,
        features,
        drift,
        log,
        logWithReceipts: of("log with receipts").cpuMicros,
        parts: check + features + drift + log,
      },
      bytesPerPrediction: sum(written.map(({ bytes }) => bytes)) / sum(written.map(({ rows }) => rows)),
    };
  } finally {
    await bare.release();
    await served.close();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function pathSubjects(served: ServedModel, bare: InferenceSession, settle: () => Promise<void>): Subject[] {
  const rows = sensorRows(distinct);
  const { slot } = served;
  const single = Array.from({ length: distinct }, (_, i) => ({
    model: modelName,
    rows: rows.subarray(i * fieldCount, (i + 1) * fieldCount),
  }));
  const grouped = Array.from({ length: distinct / batch }, (_, i) => ({
    model: modelName,
    rows: rows.subarray(i * batch * fieldCount, (i + 1) * batch * fieldCount),
  }));
  const bareRun = (from: number, n: number) =>
    // Copied, as every feeder must: the rows come from the requests.
    bare.run({ X: new Tensor("float32", rows.slice(from * fieldCount, (from + n) * fieldCount), [n, fieldCount]) }, [
      "logits",
    ]);
  return [
    repeated("bare", async (group) => {
      await bareRun(group * batch, batch);
    }),
    repeated("bare one by one", async (group) => {
      for (let i = 0; i < batch; i++) await bareRun(group * batch + i, 1);
    }),
    {
      ...repeated("full", async (group) => {
        await Promise.all(single.slice(group * batch, (group + 1) * batch).map((request) => slot.predict(request)));
      }),
      settle,
    },
    {
      ...repeated("full, rows", async (group) => {
        await slot.predict(grouped[group] as (typeof grouped)[number]);
      }),
      settle,
    },
  ];
}

/** The parts that a bare run has not, each by itself on groups of 32 requests. */
function partSubjects(served: ServedModel): Subject[] {
  const { manifest, drift } = served.version;
  const rows = sensorRows(distinct);
  const requests = Array.from({ length: distinct }, (_, i) => ({
    model: modelName,
    rows: rows.subarray(i * fieldCount, (i + 1) * fieldCount),
  }));
  const check = inputCheckOf(manifest);
  const feed = feederOf(manifest);
  const joined = new Float32Array(batch * fieldCount);
  const plain = describeVersion(served.version, manifest);
  const receipted = describeVersion(served.version, { ...manifest, log: { ...manifest.log, receipts: true } });
  const answer = { source: "model", reason: null, cached: false, label: "ok", value: null, outputs: null } as const;
  const answers = Array.from({ length: distinct }, (_, i) => {
    const p = 0.4 + (i % 97) / 500;
    return [{ ...answer, confidence: p, scores: [p, 0.7 - p, 0.3] }];
  });
  const each = (group: number, call: (request: (typeof requests)[number], i: number) => void): void => {
    for (let i = 0; i < batch; i++) call(requests[group * batch + i] as (typeof requests)[number], i);
  };
  return [
    repeated("check", async (group) => each(group, (request) => void check(request, {}))),
    repeated("features", async (group) => {
      each(group, (request, i) => joined.set(request.rows, i * fieldCount));
      feed({ rows: joined }, batch);
    }),
    repeated("drift", async (group) => {
      each(group, (request, i) => drift?.observe(request.rows, answers[group * batch + i] ?? [], 0));
      await new Promise((resolve) => setImmediate(resolve));
    }),
    logged("log", plain),
    logged("log with receipts", receipted),
  ];

  function logged(name: string, version: LoggedVersion): Subject {
    return {
      ...repeated(name, async (group) => {
        await served.log.room(batch);
        const tick: LoggedRows = {
          firstN: served.log.reserve(batch),
          version,
          time: Date.now(),
          groups: Array.from({ length: batch }, (_, i) => ({
            answers: answers[group * batch + i] as (typeof answers)[number],
            rows: (requests[group * batch + i] as (typeof requests)[number]).rows,
            latency: 0.25,
          })),
        };
        await served.log.append(tick);
      }),
      settle: async () => void (await served.settle()),
    };
  }
}

/** Group after group of `batch` predictions until the time is up. */
function repeated(name: string, group: (group: number) => Promise<void>): Subject {
  return {
    name,
    async run(until) {
      let groups = 0;
      while (performance.now() < until) {
        for (let i = 0; i < stride; i++, groups++) await group(groups % (distinct / batch));
        // Timers and what the spool writes in the background get their turn, as they would between requests.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return groups * batch;
    },
  };
}
