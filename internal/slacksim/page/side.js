// The column beside Slack: who has access right now, where targets differ, the
// clock, and audit records with the timeline of each run.

import { $, el } from "./dom.js";
import { explainRun, explains } from "./explain.js";
import { act, me, now, state, toast } from "./server.js";


const clock = (time) => new Date(time).toLocaleTimeString([], { timeStyle: "medium" });
// stamp writes when something was, and to whoever points at it in UTC, as the record has it.
const stamp = (time) => el("time", { datetime: time, title: new Date(time).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC") },
  new Date(time).toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" }));
const nameOf = (email) => { const p = state && state.people.find((p) => p.email === email); return p ? p.name : email; };

// ---- access ----

let grants = [];

export function setAccess(list) {
  grants = list;
  showAccess();
}

// showAccess lists the access that is live. Who may end it has a button.
export function showAccess() {
  if (!state) return; // names come with it
  const focused = $("access").contains(document.activeElement) ? document.activeElement.id : "";
  $("access").replaceChildren(...(grants.length ? grants.map((g) => el("li", {},
    el("div", { class: "what" }, el("b", {}, nameOf(g.who)), " has access to ", el("b", {}, g.what)),
    el("div", { class: "row" },
      el("small", {}, g.ending ? "being taken away" : g.until ? el("span", { "data-until": g.until }) : "until somebody ends it"),
      el("button", { type: "button", class: "link", id: "timeline-" + g.run, onclick: () => choose({ run: g.run }), "aria-label": `Timeline of ${nameOf(g.who)}'s access to ${g.what}` }, "Timeline"),
      g.ending || !g.ends.includes(me) ? null : el("button", {
        type: "button", class: "danger small", id: "end-" + g.run, "aria-label": `End ${nameOf(g.who)}'s access to ${g.what}`,
        onclick: (event) => { event.currentTarget.disabled = true; act("end", { run: g.run }).catch((error) => { toast(error); showAccess(); }); },
      }, "End")))) : [el("li", { class: "none" }, "Nobody has access to anything.")]));
  if (focused && $(focused)) $(focused).focus();
  countDown();
}

// What differs, as people read it.
const differs = {
  lingering: (d) => [d.who, " still has access to ", d.what, "It was to be gone, and is being taken away."],
  missing: (d) => [d.who, " has lost access to ", d.what, "Somebody took it away at the target."],
  back: (d) => [d.who, " has access to ", d.what, "It was taken away, and somebody else gave it again."],
  unknown: (d) => [d.who, " has access to ", d.what, "Nobody asked for it here."],
};

export function showDrift(found) {
  $("drift-panel").hidden = !found.length;
  $("drift").replaceChildren(...found.map((d) => {
    const [who, verb, what, why] = differs[d.kind]({ ...d, who: nameOf(d.who) });
    return el("li", {}, el("div", {}, el("b", {}, who), verb, el("b", {}, what)), el("small", {}, why));
  }));
}

function countDown() {
  for (const node of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((new Date(node.dataset.until) - now()) / 1000);
    const pad = (n) => String(n).padStart(2, "0");
    const words = `${left >= 3600 ? Math.floor(left / 3600) + ":" : ""}${pad(Math.floor(left / 60) % 60)}:${pad(left % 60)}`;
    node.textContent = left > 0 ? `ends in ${words}, at ${clock(node.dataset.until)}` : "ending now…";
  }
}
setInterval(countDown, 1000);

// ---- audit records ----

const records = new Map(); // by id, in the order in which they came
const filter = { person: "", flow: "", run: "" };
const longest = 300; // records that are shown at once

const matches = (r) => (!filter.person || r.people.includes(filter.person)) && (!filter.flow || r.flow === filter.flow) && (!filter.run || r.run === filter.run);

let receipts = false; // whether there are any

export function setReceipts(there) { receipts = there; }

export function addRecords(list) {
  for (const r of list) records.set(r.id, r);
  showRecords();
}

// choose changes what records are shown.
function choose(change) {
  Object.assign(filter, change);
  showRecords();
  $("records").scrollTop = 0;
}

function options(id, label, values, name) {
  const chosen = filter[id];
  const all = [...new Set(chosen ? [...values, chosen] : values)].sort((a, b) => name(a).localeCompare(name(b)));
  const key = JSON.stringify([all, all.map(name)]);
  if ($(id).dataset.key !== key) {
    $(id).dataset.key = key;
    $(id).replaceChildren(el("option", { value: "" }, label), ...all.map((v) => el("option", { value: v }, name(v))));
  }
  $(id).value = chosen;
}

// showRecords lists the records that the filters leave: the newest first, and those
// of one run as its timeline, from the beginning.
export function showRecords() {
  const all = [...records.values()];
  options("person", "Everybody", all.flatMap((r) => r.people), nameOf);
  options("flow", "All flows", all.map((r) => r.flow), (f) => f);
  const found = all.filter(matches);
  $("count").textContent = found.length === all.length ? `(${all.length})` : `(${found.length} of ${all.length})`;
  $("filters").hidden = !all.length;
  $("download").href = "/sim/records.jsonl?" + new URLSearchParams(Object.entries(filter).filter(([, v]) => v));
  $("no-records").hidden = found.length > 0;
  $("no-records").textContent = all.length ? "No record is about that." : "Each step of a request is recorded here.";
  $("run").hidden = !filter.run;
  $("why").hidden = !explains();
  const timeline = Boolean(filter.run);
  $("records").setAttribute("aria-label", timeline ? "Timeline of the request, oldest first" : "Audit records, newest first");
  if (timeline) {
    const first = found[0];
    const took = found.length > 1 ? ` · ${duration(new Date(found[found.length - 1].at) - new Date(first.at))} so far` : "";
    $("run-name").textContent = first ? `Request ${first.said} of ${first.flow}${took}` : "";
  }
  const shown = timeline ? found.slice(0, longest) : found.slice(-longest).reverse();
  const old = new Map([...$("records").children].map((n) => [n.dataset.key, n]));
  const nodes = shown.map((r, i) => {
    const since = timeline && i ? new Date(r.at) - new Date(shown[i - 1].at) : undefined;
    const key = JSON.stringify([r, since, timeline, nameOf(r.people[0])]);
    if (old.has(key)) return old.get(key);
    const node = recordNode(r, since, timeline);
    node.dataset.key = key;
    return node;
  });
  if (nodes.length !== $("records").children.length || nodes.some((n, i) => n !== $("records").children[i])) $("records").replaceChildren(...nodes);
}

function duration(ms) {
  const s = Math.max(Math.round(ms / 1000), 0);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  if (s < 86400) return `${Math.floor(s / 3600)} h${s % 3600 >= 60 ? ` ${Math.floor(s / 60) % 60} min` : ""}`;
  return `${Math.floor(s / 86400)} d${s % 86400 >= 3600 ? ` ${Math.floor(s / 3600) % 24} h` : ""}`;
}

function recordNode(r, since, timeline) {
  const raw = r.raw, note = r.until ? "until " + clock(r.until) : r.note;
  const small = [raw.event.type, raw.state.status === "completed" ? "" : raw.state.status, raw.event.channel, stamp(r.at),
    since >= 1000 ? "after " + duration(since) : "", raw.meta.simulated ? "simulated time" : ""].filter(Boolean);
  return el("li", { class: r.mood + (timeline ? " step" : "") }, el("details", {},
    el("summary", {}, el("span", { class: "line" }, r.line), note ? el("span", { class: "note" }, note) : null,
      el("small", {}, ...small.flatMap((part, i) => (i ? [" · ", part] : [part])))),
    timeline ? null : el("button", { type: "button", class: "link", onclick: () => choose({ run: r.run }) }, "Timeline of request " + r.said),
    receipts && r.run ? el("a", { class: "link", href: "/sim/receipts/" + r.run, download: "" }, "Receipt of request " + r.said) : null,
    el("pre", { tabindex: "0", "aria-label": "Record" }, JSON.stringify(raw, null, 2))));
}

for (const id of ["person", "flow"]) $(id).addEventListener("change", () => choose({ [id]: $(id).value }));
$("why").addEventListener("click", () => explainRun(filter.run, (records.size && [...records.values()].find((r) => r.run === filter.run) || { said: "" }).said));
$("all-runs").addEventListener("click", () => { choose({ run: "" }); $("records").focus(); });

// ---- the clock ----

// showClock shows the time that the simulation has, and how it can be moved.
export function showClock() {
  const c = state.clock;
  $("clock-panel").hidden = !c;
  if (!c) return;
  $("ahead").textContent = c.ahead ? `, ${duration(c.ahead * 1000)} ahead` : "";
  $("moves").hidden = Boolean(c.fixed);
  $("fixed").hidden = !c.fixed;
  $("fixed").textContent = c.fixed || "";
  tick();
}

function tick() {
  if (!state || !state.clock) return;
  $("now").textContent = new Date(now()).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
setInterval(tick, 1000);

for (const button of document.querySelectorAll("#moves button")) {
  button.addEventListener("click", async () => {
    const all = document.querySelectorAll("#moves button");
    all.forEach((b) => { b.disabled = true; });
    await act("clock", { seconds: Number(button.dataset.seconds) }).catch(toast);
    all.forEach((b) => { b.disabled = false; });
    button.focus();
  });
}

