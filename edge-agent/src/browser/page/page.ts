/**
 * The example page: what an app would show of the agent it carries. It joins by the enrolment token in the URL's fragment
 * (`#token=…`), which is never sent to a server.
 */
import { connect, type PageConnection, type PageStatus, type Prediction, VedetteError } from "../index.ts";
import { element, facts, middle, note, percent, short, shortBytes, table } from "./view.ts";

const form = element("ask", HTMLFormElement);
const chooser = element("model", HTMLSelectElement);
const button = form.querySelector("button") as HTMLButtonElement;
/** Model and fields that the form's fields were made for, so that typing is not lost at each change. */
let shownForm: string | undefined;

async function main(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  const agent = await connect({ labels: { kind: "page" }, ...(token && { token }) });
  // Redeemed: what is left in the address bar would only be copied along.
  history.replaceState(null, "", location.pathname + location.search);
  const refresh = () => void agent.status().then(show, fail);
  agent.onChange(refresh);
  chooser.onchange = refresh;
  form.onsubmit = (event) => {
    event.preventDefault();
    void ask(agent).then(refresh, fail);
  };
  addEventListener("pagehide", () => void agent.close().catch(fail));
  // Counters and the connection change without a change worth an event.
  setInterval(refresh, 2_000);
  refresh();
}

function show(status: PageStatus): void {
  element("device", HTMLElement).textContent = `${status.agent} of ${status.site}`;
  const link = element("link", HTMLElement);
  link.textContent = status.connected ? "connected" : "offline, still answering";
  link.dataset.state = status.connected ? "good" : "warn";
  element("notice", HTMLElement).hidden = true;
  showChooser(status.models.map((model) => model.name));
  const model = status.models.find(({ name }) => name === chooser.value);
  const slot = status.reported.slots.find((one) => one.model === model?.name);
  showProduction(model, slot);
  showForm(model);
  showDrift(slot?.drift ?? []);
  showCounters(status, slot);
}

function showChooser(names: readonly string[]): void {
  (chooser.parentElement as HTMLElement).hidden = names.length < 2;
  if ([...chooser.options].map((option) => option.value).join() === names.join()) return;
  const chosen = chooser.value;
  chooser.replaceChildren(...names.map((name) => new Option(name)));
  if (names.includes(chosen)) chooser.value = chosen;
}

type Model = PageStatus["models"][number];
type Slot = PageStatus["reported"]["slots"][number];

function showProduction(model: Model | undefined, slot: Slot | undefined): void {
  const place = element("production", HTMLElement);
  if (!model) {
    note(place, "No model was assigned to this page yet. It will appear here by itself.");
    return;
  }
  const rows: [string, string][] = [["Model", model.name]];
  const candidate = slot?.candidate;
  const onTrial = candidate && candidate.digest === model.version?.digest;
  if (model.version) {
    const { digest, release } = model.version;
    rows.push(["Version", `release ${release}${onTrial ? ", on probation" : ""}`], ["Digest", digest.slice(0, 16)]);
    if (model.manifest) rows.push(["Published", new Date(model.manifest.createdAt).toLocaleString()]);
    if (!onTrial) rows.push(["Served", `${slot?.served ?? 0} predictions`]);
  } else rows.push(["Version", "none serves: answers come from the fallback ladder"]);
  if (candidate && !onTrial)
    rows.push(["Candidate", `release ${candidate.release}, ${candidate.state} ${candidate.reason ?? ""}`]);
  facts(place, rows);
}

function showForm(model: Model | undefined): void {
  button.disabled = !model;
  const fields = model?.manifest?.input.fields ?? [];
  const wanted = JSON.stringify([model?.name, fields]);
  if (shownForm === wanted) return;
  shownForm = wanted;
  const inputs = fields
    .filter(({ kind }) => kind !== "summary")
    .map((field) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      const type = field.kind === "category" ? "text" : "number";
      Object.assign(input, { name: field.name, type, step: "any", required: field.required });
      if (field.kind === "category") {
        input.value = field.categories[0] ?? "";
        input.title = `trained on ${field.categories.slice(0, 8).join(", ")}`;
      } else if (field.min !== undefined && field.max !== undefined) {
        // Ready to be asked at once: the middle of what the model was trained on.
        input.value = middle(field.min, field.max);
        input.title = `trained on ${short(field.min)} to ${short(field.max)}`;
      }
      label.append(field.name.replaceAll("_", " "), input);
      return label;
    });
  element("fields", HTMLElement).replaceChildren(...inputs);
}

async function ask(agent: PageConnection): Promise<void> {
  button.disabled = true;
  try {
    const given = [...form.querySelectorAll("input")].filter(({ value }) => value !== "");
    const input = Object.fromEntries(
      given.map(({ name, type, value }) => [name, type === "text" ? value : Number(value)]),
    );
    showAnswer(await agent.predict({ model: chooser.value, inputs: [input], entity: "this-page" }));
  } catch (error) {
    if (!(error instanceof VedetteError)) throw error;
    note(element("answer", HTMLElement), error.message);
  } finally {
    button.disabled = false;
  }
}

function showAnswer(prediction: Prediction): void {
  const answer = prediction.answers[0];
  if (!answer) return;
  const words = document.createElement("strong");
  words.textContent = answer.label ?? (answer.value === null ? "no answer" : String(answer.value));
  const details = document.createElement("dl");
  facts(details, [
    ["Source", answer.source + (answer.cached ? ", cached" : "")],
    ["Confidence", answer.confidence === null ? "unknown" : percent(answer.confidence)],
    ["Why not the model", answer.reason ?? ""],
    ["Version", prediction.digest ? `release ${prediction.release}, ${prediction.digest.slice(0, 16)}` : "none"],
    ["Prediction", answer.id],
  ]);
  element("answer", HTMLElement).replaceChildren(words, details);
}

function showDrift(features: Slot["drift"]): void {
  const place = element("drift", HTMLTableElement);
  if (features.length === 0) {
    note(place, "Nothing to compare yet.");
    return;
  }
  table(
    place,
    ["Feature", "PSI", "KS", "n", "Verdict"],
    features.map((feature) => {
      const bar = document.createElement("meter");
      const alarm = feature.psiCritical;
      const share = alarm === null ? 0 : feature.psi / alarm;
      Object.assign(bar, { min: 0, max: 2, high: 1, low: 0.75, optimum: 0, value: share });
      bar.title = `PSI ${feature.psi.toFixed(3)}; the alarm line, half-way along, is ${alarm?.toFixed(3) ?? "not known yet"}`;
      const verdict = document.createElement("span");
      verdict.className = "pill";
      verdict.textContent = feature.verdict === "insufficient" ? "too few" : feature.verdict;
      verdict.dataset.state = { drift: "bad", none: "good", insufficient: "wait" }[feature.verdict];
      return [feature.name.replaceAll("_", " "), bar, feature.ksLow.toFixed(2), String(feature.n), verdict];
    }),
  );
}

function showCounters(status: PageStatus, slot: Slot | undefined): void {
  const counts = (counted: Record<string, number>) =>
    Object.entries(counted)
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `${name} ${n}`)
      .join(", ");
  facts(element("counters", HTMLElement), [
    ["By source", counts(slot?.sources ?? {}) || "none yet"],
    ["Fallbacks", counts(slot?.reasons ?? {}) || "none"],
    ["Sent", shortBytes(status.bytes.sent)],
    ["Received", shortBytes(status.bytes.received)],
    ["Kept in", status.storage === "opfs" ? "the origin private file system" : "IndexedDB"],
  ]);
}

function fail(error: unknown): void {
  const notice = element("notice", HTMLElement);
  notice.hidden = false;
  notice.textContent = error instanceof Error ? error.message : String(error);
  const link = element("link", HTMLElement);
  link.textContent = error instanceof VedetteError ? error.code : "failed";
  link.dataset.state = "bad";
}

main().catch(fail);
