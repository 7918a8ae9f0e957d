import { utf8 } from "@vedette/protocol/bytes";
import { describe, expect, it } from "vitest";
import { createManualClock, createSeededRandom } from "../../sim/memory-ports.ts";
import { createRequester } from "./requester.ts";

function setUp(publish: (payload: string) => Promise<void> = async () => {}) {
  const clock = createManualClock();
  const sent: { id: string; kind: string }[] = [];
  const requester = createRequester({
    clock,
    random: createSeededRandom(1),
    publish: (payload) => {
      sent.push(JSON.parse(payload) as { id: string; kind: string });
      return publish(payload);
    },
  });
  const answer = (part: object) => requester.answered(utf8(JSON.stringify(part)));
  return { clock, sent, requester, answer };
}
const digest = "a".repeat(64);

describe("requester", () => {
  it("joins parts in their order, whatever order and however often they come", async () => {
    const { requester, sent, answer } = setUp();
    const asked = requester.ask({ kind: "manifest", digest });
    const id = sent[0]?.id ?? "";
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    answer({ id: "ffffffffffffffff", i: 0, of: 1, text: "someone else's" });
    answer({ id, i: 2, of: 3, text: "c" });
    answer({ id, i: 0, of: 3, text: "a" });
    answer({ id, i: 0, of: 3, text: "a" });
    answer({ id, i: 1, of: 3, text: "b" });
    expect(await asked).toBe("abc");
  });

  it("answers two questions at once apart", async () => {
    const { requester, sent, answer } = setUp();
    const first = requester.ask({ kind: "metadata", file: "timestamp.json" });
    const second = requester.ask({ kind: "metadata", file: "1.root.json" });
    answer({ id: sent[1]?.id, i: 0, of: 1, text: "root" });
    answer({ id: sent[0]?.id, i: 0, of: 1, text: "timestamp" });
    expect([await first, await second]).toEqual(["timestamp", "root"]);
  });

  it("gives the code that was sent", async () => {
    const { requester, sent, answer } = setUp();
    const asked = requester.ask({ kind: "manifest", digest });
    answer({ id: sent[0]?.id, error: { code: "not_found", message: "no such manifest" } });
    await expect(asked).rejects.toMatchObject({ code: "not_found", message: "no such manifest" });
  });

  it("refuses more than the limit of the kind, and parts that contradict each other", async () => {
    const { requester, sent, answer } = setUp();
    const tooMuch = requester.ask({ kind: "metadata", file: "timestamp.json" });
    answer({ id: sent[0]?.id, i: 0, of: 2, text: "é".repeat(8 * 1024) });
    answer({ id: sent[0]?.id, i: 1, of: 2, text: "x" });
    await expect(tooMuch).rejects.toMatchObject({ code: "too_large" });
    const contradiction = requester.ask({ kind: "manifest", digest });
    answer({ id: sent[1]?.id, i: 0, of: 2, text: "x" });
    answer({ id: sent[1]?.id, i: 1, of: 3, text: "x" });
    await expect(contradiction).rejects.toMatchObject({ code: "invalid_message" });
  });

  it("waits 10 s of silence, no longer", async () => {
    const { requester, sent, answer, clock } = setUp();
    const asked = requester.ask({ kind: "manifest", digest });
    const failed = expect(asked).rejects.toMatchObject({ code: "timeout" });
    await clock.advance(9_000);
    answer({ id: sent[0]?.id, i: 0, of: 2, text: "x" });
    await clock.advance(9_000);
    expect(clock.waiting).toBe(1);
    await clock.advance(1_001);
    await failed;
    expect(clock.waiting).toBe(0);
    answer({ id: sent[0]?.id, i: 1, of: 2, text: "too late" });
  });

  it("fails at once when the connection is lost or nothing can be sent", async () => {
    const { requester } = setUp();
    const asked = requester.ask({ kind: "manifest", digest });
    requester.disconnected();
    await expect(asked).rejects.toMatchObject({ code: "offline" });
    const deaf = setUp(() => Promise.reject(new Error("socket closed")));
    await expect(deaf.requester.ask({ kind: "manifest", digest })).rejects.toMatchObject({ code: "offline" });
  });
});
