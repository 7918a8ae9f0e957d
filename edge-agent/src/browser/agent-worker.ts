/** The agent's dedicated worker: the page speaks to it through comlink, and ends it to give its memory back. */
import { VedetteError } from "@vedette/protocol/errors";
import { expose } from "comlink";
import { predictRows } from "../core/serve/named-rows.ts";
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
  predict: (request) => replyOf(() => predictRows(opened().agent, request)),
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
