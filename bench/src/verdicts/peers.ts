/** Detectors of other projects: each a Python process that is handed rows by files, one stream at a time. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMade, openPythonPeer } from "../python-peer.ts";
import { type Cell, referenceOf, type Stream } from "./cells.ts";
import type { Detector, Records } from "./detector.ts";
import { npyOf } from "./npy.ts";
import { features } from "./source.ts";

/** What verdicts_peer.py knows under a name, and what its settings promise. */
interface PeerKind {
  readonly name: string;
  readonly title: string;
  readonly environment: string;
  readonly usesReference: boolean;
  threshold(arl: number): number;
}

/** Tests of windows of `size` rows promise `arl` rows at the level size/arl; scores are −ln p, corrected for the features. */
const windowed =
  (size: number) =>
  (arl: number): number =>
    Math.log(arl / size);

/** The run length for which detectors that take it as a setting are set. */
export const settingArl = 10_000;

const kinds: readonly PeerKind[] = [
  {
    name: "alibi-ks",
    title: "alibi-detect KSDrift, windows of 1,000",
    environment: "alibi",
    usesReference: true,
    threshold: windowed(1000),
  },
  {
    name: "alibi-mmd-online",
    title: "alibi-detect MMDDriftOnline, window 20",
    environment: "alibi",
    // It could not take more than a thousand rows of it in minutes, so its size is no matter.
    usesReference: false,
    threshold: () => 1,
  },
  {
    name: "evidently",
    title: "evidently, windows of 1,000",
    environment: "evidently",
    usesReference: true,
    threshold: () => 0.5,
  },
  {
    name: "frouros-ks",
    title: "frouros KSTest, windows of 500",
    environment: "frouros",
    usesReference: true,
    threshold: windowed(500),
  },
  {
    name: "river-adwin",
    title: "river ADWIN",
    environment: "river",
    usesReference: false,
    threshold: () => 0,
  },
  {
    name: "river-page-hinkley",
    title: "river PageHinkley, threshold 50",
    environment: "river",
    usesReference: false,
    threshold: () => 50,
  },
  {
    name: "river-kswin",
    title: "river KSWIN",
    environment: "river",
    usesReference: false,
    threshold: windowed(1),
  },
];

export const peerNames: readonly string[] = kinds.map(({ name }) => name);

/** Those that bench/peers/make.sh has made here. */
export function peersHere(): readonly string[] {
  return kinds.filter((kind) => isMade(kind.environment)).map(({ name }) => name);
}

/** What a peer is, whether or not it is here: enough to judge what it once recorded. */
export function peerKind(name: string): Omit<Detector, "run" | "close"> {
  return kindOf(name);
}

function kindOf(name: string): PeerKind {
  const kind = kinds.find((known) => known.name === name);
  if (!kind) throw new RangeError(`no peer is called ${name}: say one of ${peerNames.join(", ")}`);
  return kind;
}

/** Peers that take turns at each stream, and read it from the same two files. */
export async function openPeers(names: readonly string[]): Promise<Detector[]> {
  const known = names.map(kindOf);
  const folder = await mkdtemp(join(tmpdir(), "vedette-verdicts-"));
  const files = { reference: join(folder, "reference.npy"), rows: join(folder, "rows.npy") };
  let written: Stream | null = null;
  const families = new Map<string, string>();
  const familyFile = async (family: Cell): Promise<string> => {
    const known = families.get(family.name);
    if (known) return known;
    const file = join(folder, `${families.size}.npy`);
    families.set(family.name, file);
    await writeFile(file, npyOf(referenceOf(family, 0), features));
    return file;
  };
  let left = known.length;
  return known.map((kind) => {
    const peer = openPythonPeer(kind.environment, "verdicts_peer.py", kind.name);
    return {
      ...kind,
      async run(stream: Stream): Promise<Records> {
        if (written !== stream) {
          await writeFile(files.reference, npyOf(stream.reference, features));
          await writeFile(files.rows, npyOf(stream.rows, features));
          written = stream;
        }
        // Higher scores than any threshold in use need not be waited for; those without a promise have none to stop at.
        const stop = kind.threshold(1e6) === kind.threshold(settingArl) ? 1e300 : kind.threshold(1e6);
        const family = await familyFile(stream.family);
        const answer = await peer.ask({ ...files, arl: settingArl, stop, family });
        return (answer as { records: Records }).records;
      },
      async close() {
        await peer.close();
        left--;
        if (left === 0) await rm(folder, { recursive: true, force: true });
      },
    };
  });
}
