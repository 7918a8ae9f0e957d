/** The agent's dedicated worker: the page speaks to it through comlink, and ends it to give its memory back. */
import { VedetteError } from "@vedette/protocol/errors";
import { expose } from "comlink";
import { toRows } from "./named-rows.ts";
import { openPageAgent, type PageAgent } from "./page-agent.ts";
import { replyOf, type WorkerApi } from "./worker-api.ts";

let page: PageAgent | undefined;

function opened(): PageAgent {
  if (page) return page;
  throw new VedetteError("not_ready", "the agent is not open: wait for connect()");
}

const api: WorkerApi = {
  open: (options, changed) =>
    replyOf(async () => {
      page = await openPageAgent(options);
      page.agent.onChange(changed);
      return { agent: page.agent.id };
    }),
  predict: ({ inputs, ...about }) =>
    replyOf(() => {
      const { agent } = opened();
      const model = agent.models().find((served) => served.name === about.model);
      if (!model) {
        const known = agent.models().map((served) => served.name);
        const there = known.length > 0 ? `there are ${known.join(", ")}` : "none was assigned to this page yet";
        throw new VedetteError("not_found", `no model "${about.model}" here: ${there}`);
      }
      // A version that was withdrawn still says the fields, so that rules see their values. Where there was none, nobody
      // knows them: one value a row keeps the count, and the ladder answers.
      const { manifest } = model;
      const rows = manifest ? toRows(manifest, inputs) : new Float32Array(inputs.length).fill(Number.NaN);
      return agent.predict({ ...about, rows });
    }),
  status: () =>
    replyOf(() => {
      const { agent, identity, connected, bytes, storage } = opened();
      const { site } = identity;
      return { agent: agent.id, site, connected, bytes, storage, reported: agent.status(), models: agent.models() };
    }),
  close: () =>
    replyOf(async () => {
      await page?.close();
      page = undefined;
      return null;
    }),
};

expose(api);
