// What would come of a request, and why one that there is stands where it does: the
// server has it decided on a draft, so that nothing comes of asking.

import { $, el } from "./dom.js";
import { act, me, state, toast, Unreachable } from "./server.js";
import { drawing } from "./text.js";

const dialog = $("explain");
const nameOf = (email) => { const p = state.people.find((p) => p.email === email); return p ? p.name : email; };
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const list = (words) => (words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words[words.length - 1]);

// moment writes a time: with its day, unless that is the day of another one.
function moment(time, since) {
  const at = new Date(time);
  const day = !since || at.toDateString() !== new Date(since).toDateString();
  const shown = day ? { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: at.getSeconds() ? "2-digit" : undefined };
  return el("time", { datetime: at.toISOString(), title: at.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC") }, at.toLocaleString([], shown));
}

// ---- the question ----

let flows = [];

const option = (value, label) => el("option", { value }, label);
const field = (id, label, input, { hint, optional } = {}) => el("div", { class: "field" },
  el("label", { for: id }, label, optional ? el("span", { class: "optional" }, " (optional)") : null), input, hint ? el("p", { class: "hint", id: id + "-hint" }, hint) : null);
const select = (id, choices, chosen) => {
  const node = el("select", { id }, ...choices);
  if (chosen) node.value = chosen;
  return node;
};

const ways = { slack: "in Slack", api: "by the API", agent: "by an agent of theirs" };

// inputOf makes the input of a field of a form.
function inputOf(f) {
  const id = "explain-f-" + f.name;
  if (f.kind === "truth") return el("label", { class: "choice" }, el("input", { type: "checkbox", id }), f.label);
  const options = f.kind === "person" ? state.people.map((p) => ({ value: p.id, label: p.name })) : f.options;
  if (!options.length) return field(id, f.label, el("input", { id, inputmode: f.kind === "number" ? "numeric" : null, spellcheck: "false" }), { optional: !f.required, hint: f.several ? "Several, with commas between them." : "" });
  const choices = options.map((o) => option(o.value, o.label));
  const node = f.several ? el("select", { id, multiple: true, size: String(Math.min(options.length, 5)) }, ...choices) : select(id, f.required ? choices : [option("", "–"), ...choices]);
  return field(id, f.label, node, { optional: !f.required });
}

// drawFields draws what the chosen flow asks for.
function drawFields() {
  const f = flows.find((f) => f.name === $("explain-flow").value);
  const way = select("explain-way", f.ways.map((w) => option(w, ways[w])));
  const purpose = field("explain-purpose", "What the agent says it is for", el("input", { id: "explain-purpose", value: "to find out why it is slow" }), { optional: !f.purpose });
  const agents = () => { purpose.hidden = way.value !== "agent"; };
  way.addEventListener("change", agents);
  agents();
  $("explain-fields").replaceChildren(
    f.ways.length > 1 ? field("explain-way", "How", way) : "", f.ways.length > 1 ? purpose : "",
    ...f.fields.map(inputOf),
    field("explain-at", "When", el("input", { type: "datetime-local", id: "explain-at" }), { optional: true, hint: "Left empty, it is now." }),
    f.later ? field("explain-start", "Access starts", el("input", { type: "datetime-local", id: "explain-start" }), { optional: true }) : "",
    f.emergency ? el("label", { class: "choice" }, el("input", { type: "checkbox", id: "explain-emergency" }), "It is an emergency") : "");
}

const time = (id) => ($(id) && $(id).value ? new Date($(id).value).toISOString() : undefined);

function valueOf(f) {
  const input = $("explain-f-" + f.name);
  if (f.kind === "truth") return input.checked;
  if (input.multiple) return [...input.selectedOptions].map((o) => o.value);
  const text = input.value.trim();
  return f.several ? text.split(",").map((t) => t.trim()).filter(Boolean) : text;
}

// question is what the form says. What is empty is left out: the server fills it in.
function question() {
  const f = flows.find((f) => f.name === $("explain-flow").value);
  const values = {};
  for (const one of f.fields) {
    const value = valueOf(one);
    if (value !== "" && !(Array.isArray(value) && !value.length)) values[one.name] = value;
  }
  return {
    flow: f.name, who: $("explain-who").value, way: $("explain-way") ? $("explain-way").value : f.ways[0], values,
    purpose: $("explain-purpose") ? $("explain-purpose").value : "", at: time("explain-at"), start_at: time("explain-start"),
    emergency: Boolean($("explain-emergency") && $("explain-emergency").checked),
  };
}

// ---- the answer ----

const section = (title, ...children) => el("section", {}, el("h3", {}, title), ...children);

const verdicts = {
  asked: (x) => ["plain", "🙋", "People decide", `It needs ${plural(x.needs, "approval")} of ${x.approvers}.`],
  approved: () => ["good", "✅", "Approved, with nobody asked"],
  denied: () => ["bad", "⛔", "Denied, with nobody asked"],
  refused: () => ["bad", "⛔", "It can’t be asked for"],
  ignored: () => ["warn", "✋", "Nothing happens"],
  failed: () => ["warn", "⚠", "It fails, and waits for a repair"],
};

// standing says where a run is that there is.
const standings = { prompted: "its form is being filled in", requested: "it waits for a decision", approved: "it is approved", denied: "it was denied", expired: "it has expired", cancelled: "it was withdrawn", escalated: "access is live", deescalated: "access has ended" };

function verdict(x) {
  const [mood, sign, words, more] = x.run && x.outcome !== "asked"
    ? [{ escalated: "good", approved: "good", denied: "bad", expired: "bad" }[x.status] || "plain", { escalated: "🔓", deescalated: "🔒", denied: "⛔", expired: "⌛" }[x.status] || "ℹ", standings[x.status].replace(/^./, (c) => c.toUpperCase())]
    : verdicts[x.outcome](x);
  return el("div", { class: "verdict " + mood }, drawing(sign), el("div", {},
    el("b", {}, words), more ? el("p", {}, more) : null,
    x.waits ? el("p", {}, `It waits for ${x.waits}.`) : null,
    x.why ? el("p", {}, x.why) : null));
}

function rounds(x) {
  if (!x.rounds || !x.rounds.length) return null;
  const last = x.rounds[x.rounds.length - 1];
  return section("Who is asked", el("ol", { class: "line" },
    ...x.rounds.map((r) => el("li", {}, el("b", {}, r.asks ? list(r.asks.map(nameOf)) : "nobody who is known"), el("small", {}, "from ", moment(r.from, x.at), " until ", moment(r.until, r.from)))),
    el("li", { class: "end" }, el("b", {}, x.silence ? `${x.silence.status.replace(/^./, (c) => c.toUpperCase())}, if nobody decides` : "If nobody decides, the last round begins anew"),
      x.silence ? el("small", {}, moment(x.silence.at, last.from), x.silence.why ? ": " + x.silence.why : "") : null)));
}

// ways by which somebody may decide, as people read them.
const by = (via) => ({ admin: "an admin of the environment", member: "a member of the workspace", handler: "named by the flow’s code" })[via]
  || (via.startsWith("group:") ? "in the group @" + via.slice(6) : via.startsWith("user:") ? "named in the flow" : via);

function people(x) {
  if (!x.people) return null;
  const line = (p) => el("li", { class: p.may ? "may" : "" }, drawing(p.may ? "✅" : "⛔"), el("span", {}, el("b", {}, nameOf(p.person)), el("small", {}, p.may ? list((p.via || []).map(by)) : p.why)));
  const may = x.people.filter((p) => p.may), not = x.people.filter((p) => !p.may);
  return section("Who may approve",
    may.length ? el("ul", { class: "who" }, ...may.map(line)) : el("p", {}, "Nobody of these."),
    not.length ? el("details", { open: not.length < 5 }, el("summary", {}, `Who may not (${not.length})`), el("ul", { class: "who" }, ...not.map(line))) : null);
}

function grant(x) {
  const g = x.grant;
  if (!g) return null;
  const title = x.run && x.status === "escalated" ? "What is granted" : "Once approved";
  if (g.failed) return section(title, el("p", {}, "Nothing is granted: " + g.failed));
  const row = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
  return section(title, el("dl", {},
    ...row("Target", el("b", {}, g.target), el("small", {}, ` ${g.strategy} (${g.type})`)),
    ...row("As", g.identity),
    ...row(g.entitlements.length === 1 ? "Right" : "Rights", ...g.entitlements.map((e) => el("div", {}, el("code", {}, e.key + (e.value ? " = " + e.value : "")),
      ...Object.entries(e.settings || {}).map(([k, v]) => el("small", {}, ` ${k} ${v}`))))),
    ...row("Starts", moment(g.from, x.at)),
    ...row("Ends", ...(g.ends ? [moment(g.ends, g.from)] : ["by hand only"]), g.latest && g.latest > g.ends ? el("small", {}, " extended as far as it goes: ", moment(g.latest, g.from)) : "")));
}

function records(x, told) {
  if (!told.length) return null;
  return section("What the record says", el("ol", { class: "line" }, ...told.map((r) => el("li", { class: r.mood }, el("details", {},
    el("summary", {}, el("b", {}, r.line), el("small", {}, `${r.raw.event.type} · `, moment(r.at, x.at), r.note ? " · " + r.note : "")),
    el("pre", { tabindex: "0", "aria-label": "Record" }, JSON.stringify(r.raw, null, 2)))))));
}

function drawAnswer({ explanation: x, records: told }) {
  const asker = x.agent ? `An agent of ${nameOf(x.requester)}` : nameOf(x.requester);
  const heading = el("h3", { class: "asked" }, ...(x.run ? [`${asker}’s request, by version ${x.version} of ${x.flow}`] : [`${asker} asks for ${x.flow}, `, moment(x.at)]));
  $("explained").replaceChildren(...[
    heading, verdict(x),
    x.uninvoked ? el("p", { class: "hint" }, "Not invoked, and taken to have agreed: " + list(x.uninvoked)) : null,
    rounds(x), people(x), grant(x), records(x, told),
  ].filter(Boolean));
}

// ask has the server explain, and shows what it says.
async function ask(q) {
  $("explained").setAttribute("aria-busy", "true");
  try {
    drawAnswer(await act("explain", { question: q }));
  } catch (error) {
    if (error instanceof Unreachable) toast(error);
    $("explained").replaceChildren(el("p", { class: "trouble", role: "alert" }, error.message));
  }
  $("explained").setAttribute("aria-busy", "false");
}

// ---- the panel ----

export function showExplain() { $("explain-panel").hidden = !state.has_explain; }

// open shows the panel with its form.
async function openForm() {
  try {
    flows = await act("explainable", {});
  } catch (error) {
    toast(error);
    return;
  }
  if (!flows.length) { toast(new Error("There is no flow to ask about.")); return; }
  $("explain-title").textContent = "What would come of a request?";
  dialog.classList.remove("only");
  $("explain-form").hidden = false;
  $("explain-common").replaceChildren(
    field("explain-flow", "Flow", select("explain-flow", flows.map((f) => option(f.name, f.label)), $("explain-flow") && $("explain-flow").value)),
    field("explain-who", "Who asks", select("explain-who", state.people.map((p) => option(p.id, p.name + (p.guest ? " (guest)" : ""))), me)));
  $("explain-flow").addEventListener("change", drawFields);
  drawFields();
  $("explained").replaceChildren(el("p", { class: "empty" }, "The answer comes here: who is asked and until when, who may approve and why, what is granted, and what the record says. Nobody hears of it, and nothing is granted."));
  dialog.showModal();
  $("explain-flow").focus();
}

// explainRun says why a run is where it is.
export async function explainRun(run, said) {
  $("explain-title").textContent = `Why is request ${said} where it is?`;
  dialog.classList.add("only");
  $("explain-form").hidden = true;
  $("explained").replaceChildren(el("p", { class: "empty" }, "Looking…"));
  dialog.showModal();
  $("explain-close").focus();
  await ask({ run });
}

export const explains = () => Boolean(state && state.has_explain);

$("explain-open").addEventListener("click", openForm);
$("explain-close").addEventListener("click", () => dialog.close());
$("explain-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("[type=submit]");
  button.disabled = true;
  await ask(question());
  button.disabled = false;
  $("explained").focus();
  if (matchMedia("(max-width: 760px)").matches) $("explained").scrollIntoView({ block: "start" });
});
