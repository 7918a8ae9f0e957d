import { defineConfig } from "drizzle-kit";

/** `npm run migrations --workspace control-plane -- --name what_changes` writes the next migration. */
export default defineConfig({
  dialect: "sqlite",
  casing: "snake_case",
  schema: "./src/db/*schema.ts",
  out: "./migrations",
});
