import { expect, test } from "vitest";
import { addLogRule } from "./log-rules.ts";

test("rules are gathered by what they are of", () => {
  const said = ["inputs=none", "torque=sampled:0.1", "entity=hashed", "field:inputs=full", "a=b=none"];
  expect(said.reduce((rules, text) => addLogRule(text, rules), {})).toEqual({
    inputs: { mode: "none" },
    fields: { torque: { mode: "sampled", rate: 0.1 }, inputs: { mode: "full" }, "a=b": { mode: "none" } },
    entity: { mode: "hashed" },
  });
});

test("what is no rule is refused with an example", () => {
  for (const wrong of ["torque", "=none", "torque=some"]) expect(() => addLogRule(wrong)).toThrow("sampled:0.1");
});
