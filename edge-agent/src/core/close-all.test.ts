import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import { closeAll } from "./close-all.ts";

test("a step that fails keeps none of the others from being taken; one failure is thrown as it is, several as one", async () => {
  const taken: string[] = [];
  const fault = new VedetteError("storage_failed", "the disk is full");
  const fails = (error: Error) => async () => {
    throw error;
  };
  const step = () => void taken.push("step");
  await closeAll("it", [step]);
  await expect(closeAll("it", [fails(fault), step])).rejects.toBe(fault);
  await expect(closeAll("it", [fails(fault), fails(new Error("gone")), step])).rejects.toMatchObject({
    code: "storage_failed",
    message: "it did not close cleanly: the disk is full; gone",
  });
  expect(taken).toHaveLength(3);
});
