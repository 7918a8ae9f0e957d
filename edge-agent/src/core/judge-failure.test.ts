import { type ErrorCode, VedetteError } from "@vedette/protocol/errors";
import { describe, expect, it } from "vitest";
import { judgeFailure } from "./judge-failure.ts";

const error = (code: ErrorCode) => new VedetteError(code, "as it is");

describe("a try that failed says of the version", () => {
  it.each(["proof_failed", "model_failed", "unsupported", "revoked", "too_large"] as const)(
    "%s: that it would fail again, wherever its files came from",
    (code) => {
      const failed = { kind: "failed", reason: code, why: "as it is" };
      expect([judgeFailure(error(code), true), judgeFailure(error(code), false)]).toEqual([failed, failed]);
    },
  );

  it.each(["digest_mismatch", "length_mismatch"] as const)(
    "%s: that the disk lost what was whole, and that what came so is another's",
    (code) => {
      expect(judgeFailure(error(code), true)).toEqual({ kind: "lost" });
      expect(judgeFailure(error(code), false)).toMatchObject({ kind: "failed", reason: code });
    },
  );

  it("not_found: lost where it was whole; else the store may have it at the next try", () => {
    expect(judgeFailure(error("not_found"), true)).toEqual({ kind: "lost" });
    expect(() => judgeFailure(error("not_found"), false)).toThrow("as it is");
  });

  it.each([error("storage_failed"), error("timeout"), error("lacks_memory"), new Error("as it is")])(
    "nothing, where another try may go better: %s",
    (thrown) => {
      for (const wasWhole of [true, false]) expect(() => judgeFailure(thrown, wasWhole)).toThrow(thrown);
    },
  );
});
