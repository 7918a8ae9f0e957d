/** A control plane whose devices can be divided, for experiments: version 1 by a rule, version 2 published. */
import { type ExperimentInDetail, experiment } from "@vedette/protocol/experiments-api";
import { names, one, two } from "./rollout-site.ts";
import { abilities, enroll, hello, initialiseTrust, publish, type Site } from "./site.ts";

export const able = { ...abilities, capability: 4 };
const plan = { metric: "business:sales", better: "higher", split: "devices" };

/** @param start brings a lake where something is measured. */
export async function experimentSite<S extends Site>(start: () => Promise<S>): Promise<S> {
  return (await experimentSiteWithKeys(start)).site;
}

/** The same, with who signs for it. */
export async function experimentSiteWithKeys<S extends Site>(
  start: () => Promise<S>,
): Promise<{ site: S; operator: Awaited<ReturnType<typeof initialiseTrust>> }> {
  const site = await start();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  for (const name of names) await enroll(site, name);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  for (const name of names) await there(site, name);
  return { site, operator };
}

/** Is online, and says hello. Answers what it is assigned of the model. */
export async function there(site: Site, name: string, has = able) {
  await site.fleet.presence(name, true, 1);
  return (await hello(site, name, { abilities: has })).assignment?.slots[0];
}

export function startExperiment(site: Site, more: object = {}, over: object = {}) {
  return site.call("POST", "/v1/experiments", { model: "rain", version: 2, plan: { ...plan, ...more }, ...over });
}

export async function lookAt(site: Site, id = 1): Promise<ExperimentInDetail> {
  return experiment.parse((await site.call("GET", `/v1/experiments/${id}`)).body);
}
