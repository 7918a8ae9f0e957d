import { resolve } from "node:path";
import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

test("flags win over the environment, which wins over defaults", () => {
  const config = parseConfig({ port: "0", home: "here" }, { VEDETTE_PORT: "81", VEDETTE_SITE: "barn", OTHER: "1" });
  expect(config).toMatchObject({ port: 0, site: "barn", mqttPort: 7701, home: resolve("here") });
  expect(config.pageDir).toBe(resolve("here", "page"));
});

test("what does not fit is named with its variable", () => {
  expect(() => parseConfig({ port: "http" }, { VEDETTE_SITE: "A b", VEDETTE_PUBLIC_URL: "ftp://x" })).toThrow(
    /site \(VEDETTE_SITE\): .*port \(VEDETTE_PORT\): .*publicUrl \(VEDETTE_PUBLIC_URL\)/s,
  );
});
