// The page of the simulated Slack: the people at the top, conversations, messages
// and forms. It shows what the server says, and sends what its person does. The
// other files have the server (server.js), texts (text.js), what people fill in
// (elements.js), blocks (blocks.js), the column beside Slack (side.js) and what would
// come of requests (explain.js).

import { blockNodes } from "./blocks.js";
import { $, el } from "./dom.js";
import { sendUnsent, unsent } from "./elements.js";
import { showExplain } from "./explain.js";
import { act, askState, here, listen, me, setPlace, setState, state, toast, Unreachable, wasLost } from "./server.js";
import { addRecords, setReceipts, setAccess, showAccess, showClock, showDrift, showRecords } from "./side.js";
import { drawing, mrkdwn, personName, plainOf } from "./text.js";

let refreshing = false;
let stale = false;

async function refresh() {
  if (refreshing) { stale = true; return; }
  refreshing = true;
  do {
    stale = false;
    const next = await askState().catch(() => null); // the stream comes back, and asks again
    if (next) show(next);
  } while (stale);
  refreshing = false;
}

function face(id, className) {
  if (id === state.app.id) return el("span", { class: "face app", "aria-hidden": "true" }, "S");
  const i = state.people.findIndex((p) => p.id === id);
  return el("span", { class: "face" + (i < 0 ? "" : " tone" + (i % 5)) + (className || ""), "aria-hidden": "true" }, personName(id).slice(0, 1));
}

const badge = (n) => (n ? el("span", { class: "badge", "aria-label": n + " unread" }, String(n)) : null);

// Parts of the page are made anew only when they differ, so that typing and
// focus survive what happens elsewhere.
const drawn = new Map();
function redraw(id, data, draw) {
  const now = JSON.stringify(data);
  if (drawn.get(id) === now) return;
  drawn.set(id, now);
  draw();
}

function show(next) {
  if (!state && me && next.stranger) toast(new Error(`There is nobody called “${me}” here. You are ${next.people.find((p) => p.id === next.me).name}.`));
  setState(next);
  redraw("names", [me, state.people], () => { showAccess(); showRecords(); });
  redraw("clock", state.clock, showClock);
  redraw("guide", state.guide, showGuide);
  const current = state.conversations.find((c) => c.id === here);
  redraw("people", [me, state.people], showPeople);
  redraw("list", [me, here, atHome, state.conversations, state.shortcuts], showList);
  redraw("title", [me, current, state.commands], () => showTitle(current));
  redraw("tabs", [me, current, atHome], () => showTabs(current));
  if (atHome) showHome(); else showMessages();
  showModal();
  $("access-panel").hidden = !state.has_access;
  $("records-panel").hidden = !state.has_records;
  setReceipts(state.has_receipts);
  showExplain();
  $("side").hidden = $("toggle").hidden = !state.has_access && !state.has_records;
  if (current.unread && document.visibilityState === "visible") act("read", {}).catch(toast);
}

function showPeople() {
  const focused = $("people").contains(document.activeElement);
  $("people").replaceChildren(...state.people.map((p) => el("button", {
    type: "button", class: "person", role: "radio", "aria-checked": String(p.id === me), tabindex: p.id === me ? "0" : "-1",
    "aria-label": p.name, title: p.email + (p.guest ? " (guest)" : ""), onclick: () => become(p.id),
  }, face(p.id), el("span", { class: "label" }, p.name), badge(p.id === me ? 0 : p.unread))));
  if (focused) $("people").querySelector("[aria-checked=true]").focus();
}

async function become(id) {
  await sendUnsent();
  atHome = false;
  setPlace({ me: id });
  $("toast").hidden = true;
  drawn.clear();
  $("messages").replaceChildren();
  refresh();
}

$("people").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const i = state.people.findIndex((p) => p.id === me);
  become(state.people[(i + step + state.people.length) % state.people.length].id);
});

function showList() {
  const shown = (c) => c.id === here && !atHome;
  const item = (c) => el("li", {}, el("button", {
    type: "button", class: c.unread && !shown(c) ? "unread" : undefined, "aria-current": shown(c) ? "true" : undefined,
    title: c.name + (c.kind === "private_channel" ? " (private)" : ""), onclick: () => go(c.id),
  }, el("span", { class: "name" }, (c.kind.endsWith("channel") ? "# " : "") + c.name),
  c.kind === "private_channel" ? drawing("🔒") : null, shown(c) ? null : badge(c.unread)));
  const channels = state.conversations.filter((c) => c.kind.endsWith("channel"));
  const directs = state.conversations.filter((c) => !c.kind.endsWith("channel"));
  $("channels").replaceChildren(...channels.map(item));
  const who = state.people.find((p) => p.id === me);
  $("apps").replaceChildren(el("li", {}, el("button", { type: "button", "aria-current": atHome ? "true" : undefined, disabled: !who.commands, onclick: openHome }, el("span", { class: "name" }, state.app.name + " Home"))));
  $("directs").replaceChildren(...(directs.length ? directs.map(item) : [el("li", { class: "none" }, "None yet")]));
  $("shortcuts").replaceChildren(...(state.shortcuts.length ? [el("h2", {}, "Shortcuts")] : []), ...state.shortcuts.map((s) =>
    el("button", { type: "button", onclick: () => act("shortcut", { callback_id: s.callback_id }).catch(toast) }, drawing("⚡"), " " + s.name)));
}

// atHome says that the app's Home tab is shown, instead of a conversation.
let atHome = false;

// openHome tells the app that its Home tab was opened, and shows it.
function openHome() {
  atHome = true;
  for (const part of ["messages", "list", "title", "tabs", "home"]) drawn.delete(part);
  $("messages").replaceChildren();
  show(state);
  act("home", {}).catch(toast);
}

function showTabs(c) {
  const app = atHome || c.kind === "im";
  $("tabs").hidden = !app || state.people.find((p) => p.id === me).commands === false;
  $("composer").hidden = atHome;
  const direct = state.conversations.find((d) => d.kind === "im");
  const tab = (name, chosen, press) => el("button", { type: "button", class: "tab", "aria-pressed": String(chosen), onclick: press }, name);
  $("tabs").replaceChildren(tab("Home", atHome, openHome), direct ? tab("Messages", !atHome, () => go(direct.id)) : "");
}

function showHome() {
  $("title").textContent = state.app.name;
  $("about").textContent = "";
  document.title = `${personName(me)} · ${state.app.name}: Home · simulated Slack`;
  redraw("home", [me, state.home && [state.home.id, state.home.hash, state.home.trouble]], () => {
    const v = state.home;
    const focus = $("messages").contains(document.activeElement) ? document.activeElement.id : "";
    $("messages").replaceChildren(el("div", { class: "home" }, ...(v
      ? [v.trouble ? el("p", { class: "trouble", role: "alert" }, v.trouble) : "", ...blockNodes(v.blocks, { at: { view_id: v.id }, values: v.state.values })]
      : [el("p", { class: "empty" }, "Nothing here yet.")])));
    if (focus && $(focus)) $(focus).focus();
  });
}

function go(id) {
  atHome = false;
  for (const part of ["home", "title"]) drawn.delete(part);
  setPlace({ here: id });
  $("messages").replaceChildren();
  drawn.delete("messages");
  refresh();
}

function showTitle(c) {
  const who = state.people.find((p) => p.id === me);
  const channel = c.kind.endsWith("channel");
  $("title").textContent = (channel ? "#" : "") + c.name;
  let about = "";
  if (c.archived) about = "archived";
  else if (channel && !c.app) about = `${state.app.name} is not in this channel. To bring it in: /invite @${state.app.name}`;
  else if (!who.commands) about = "Guests of a single channel can press buttons, but have no slash commands.";
  $("about").textContent = about;
  $("line").placeholder = who.commands ? `${state.commands[0]} req, or a message to ${channel ? "#" : ""}${c.name}` : `Message to ${channel ? "#" : ""}${c.name}`;
  document.title = `${who.name} · ${$("title").textContent} · simulated Slack`;
}

function showMessages() {
  const box = $("messages");
  const bottom = box.scrollHeight - box.scrollTop - box.clientHeight < 80 || !box.children.length;
  const old = new Map([...box.children].map((n) => [n.dataset.ts, n]));
  let added = false;
  // Replies stand under the message that they are to.
  const parents = new Set(state.messages.map((m) => m.ts));
  const isReply = (m) => m.thread_ts && m.thread_ts !== m.ts && parents.has(m.thread_ts);
  const nodes = state.messages.filter((m) => !isReply(m) || m.subtype === "thread_broadcast").map((m) => {
    const replies = state.messages.filter((r) => isReply(r) && r.thread_ts === m.ts);
    const key = JSON.stringify([me, [m, ...replies].map(({ values, ...shown }) => shown)]);
    const existing = old.get(m.ts);
    if (existing && existing.dataset.key === key) return existing;
    added ||= !existing;
    const node = messageNode(m, replies);
    node.dataset.ts = m.ts;
    node.dataset.key = key;
    return node;
  });
  if (!nodes.length) nodes.push(el("p", { class: "empty", "data-ts": "" }, "Nothing here yet."));
  if (nodes.length !== box.children.length || nodes.some((n, i) => n !== box.children[i])) {
    const focus = document.activeElement && box.contains(document.activeElement) ? document.activeElement.id : "";
    box.replaceChildren(...nodes);
    if (focus && $(focus)) $(focus).focus();
  }
  if (bottom && (added || box.children.length)) box.scrollTop = box.scrollHeight;
}

const openThreads = new Set(); // by the time stamps of their first messages

function threadNode(m, replies) {
  const last = new Date(Number(replies[replies.length - 1].ts) * 1000);
  const thread = el("details", { class: "thread", open: openThreads.has(m.ts) },
    el("summary", {}, el("b", {}, replies.length === 1 ? "1 reply" : replies.length + " replies"), " · last at " + last.toLocaleTimeString([], { timeStyle: "short" })),
    ...replies.map((r) => messageNode(r, [])));
  thread.addEventListener("toggle", () => { if (thread.open) openThreads.add(m.ts); else openThreads.delete(m.ts); });
  return thread;
}

function messageNode(m, replies) {
  if (m.subtype === "tombstone") {
    return el("article", { class: "message" }, el("div", { class: "body" }, el("p", { class: "gone" }, "This message was deleted."), ...(replies.length ? [threadNode(m, replies)] : [])));
  }
  const context = { at: { channel: here, ts: m.ts }, values: m.values };
  const at = new Date(Number(m.ts) * 1000);
  const content = m.blocks && m.blocks.length ? blockNodes(m.blocks, context) : [mrkdwn(m.text)];
  for (const e of m.entities || []) {
    content.push(el("div", { class: "attachment" }, el("b", {}, e.entity_payload.attributes.title.text)));
  }
  for (const a of m.attachments || []) {
    const bar = el("div", { class: "attachment" }, ...["pretext", "title", "text"].filter((k) => a[k]).map((k) => mrkdwn(a[k])), ...blockNodes(a.blocks, context));
    if (/^#?[0-9a-f]{6}$/i.test(a.color || "")) bar.style.borderLeftColor = "#" + a.color.replace("#", "");
    content.push(bar);
  }
  return el("article", { class: m.only_you ? "message only-you" : "message" }, face(m.user),
    el("div", { class: "body" },
      el("div", { class: "head" }, el("b", {}, personName(m.user)), m.user === state.app.id ? el("span", { class: "tag" }, "APP") : null,
        el("time", { datetime: at.toISOString(), title: at.toString() }, at.toLocaleTimeString([], { timeStyle: "short" })),
        m.only_you ? el("span", { class: "tag" }, "only visible to you") : null,
        m.thread_ts && m.thread_ts !== m.ts && !parentShown(m) ? el("span", { class: "tag" }, "in thread") : null,
        m.subtype === "thread_broadcast" ? el("span", { class: "tag" }, "replied to a thread") : null,
        m.edited ? el("span", { class: "edited" }, "(edited)") : null,
        ...(m.only_you ? [] : state.message_shortcuts.map((s) => el("button", {
          type: "button", class: "link about", "aria-label": `${s.name}: message of ${personName(m.user)}, ${at.toLocaleTimeString([], { timeStyle: "short" })}`,
          onclick: () => act("about", { callback_id: s.callback_id, at: { channel: here, ts: m.ts } }).catch(toast),
        }, s.name)))),
      ...content, ...(replies.length ? [threadNode(m, replies)] : [])));
}

const parentShown = (m) => state.messages.some((p) => p.ts === m.thread_ts);

let lostWhenOpened = 0;

// orphan keeps a form that ended with the server for its texts to be copied.
function orphan(dialog) {
  redraw("modal", "orphan", () => {
    dialog.querySelector("form").prepend(el("p", { class: "trouble", role: "alert" },
      "Sym Flows was started again, and this form ended with it. What you typed is still here: copy it, close this, and ask again."));
    dialog.querySelectorAll("[type=submit]").forEach((b) => { b.disabled = true; });
  });
}

function showModal() {
  const dialog = $("modal");
  const v = state.view;
  if (!v && dialog.open && wasLost > lostWhenOpened && unsent.size) {
    orphan(dialog);
    return;
  }
  if (!v) {
    if (dialog.open) dialog.close();
    drawn.delete("modal");
    unsent.clear();
    return;
  }
  redraw("modal", [me, v.id, v.hash, v.errors, v.trouble, v.busy], () => {
    const focus = dialog.contains(document.activeElement) ? document.activeElement.id : "";
    const scroll = dialog.querySelector(".content") ? dialog.querySelector(".content").scrollTop : 0;
    const submit = async (event) => {
      event.preventDefault();
      await sendUnsent();
      await act("submit", {}).catch((error) => { if (error instanceof Unreachable) toast(error); /* else the form shows it */ });
    };
    const form = el("form", { novalidate: true, id: "view", onsubmit: submit },
      v.trouble ? el("p", { class: "trouble", role: "alert" }, v.trouble) : null,
      ...blockNodes(v.blocks, { at: { view_id: v.id }, values: v.state.values, errors: v.errors, inModal: true }));
    dialog.replaceChildren(
      el("header", {}, el("h2", { id: "modal-title" }, plainOf(v.title)),
        el("button", { type: "button", class: "quiet", "aria-label": "Close the form", onclick: closeModal }, "✕")),
      el("div", { class: "content" }, form),
      el("footer", {},
        el("button", { type: "button", onclick: closeModal }, plainOf(v.close) || "Cancel"),
        v.submit ? el("button", { type: "submit", form: "view", class: "primary", disabled: v.busy }, v.busy ? "Sending…" : plainOf(v.submit)) : null));
    lostWhenOpened = wasLost;
    if (!dialog.open) dialog.showModal();
    dialog.querySelector(".content").scrollTop = scroll;
    const first = dialog.querySelector("[aria-invalid=true]") || (focus && $(focus)) || form.querySelector("input, select, textarea");
    if (first) {
      first.focus();
      if (first.setSelectionRange && first.value) first.setSelectionRange(first.value.length, first.value.length);
    }
  });
}

function closeModal() {
  if (state.view) { act("close", {}).catch(toast); return; }
  unsent.clear();
  drawn.delete("modal");
  $("modal").close();
}
$("modal").addEventListener("cancel", (event) => { event.preventDefault(); closeModal(); });

$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const line = $("line").value.trim();
  if (!line) return;
  const button = event.target.querySelector("button");
  $("line").value = "";
  button.disabled = true;
  $("toast").hidden = true;
  await act("say", { text: line }).catch((error) => {
    if (error instanceof Unreachable) $("line").value ||= line;
    // What else goes wrong with a command, Slackbot says in the conversation.
    if (error instanceof Unreachable || !line.startsWith("/")) toast(error);
  });
  button.disabled = false;
});


// ---- the guide ----

// showGuide says what to do first, with the flows that there are.
function showGuide() {
  const g = state.guide;
  $("guide").hidden = !g || localStorage.getItem("guided") === "yes";
  if (!g) return;
  $("steps").replaceChildren(...g.map((step) => {
    const item = el("li", {}, mrkdwn(step));
    for (const code of item.querySelectorAll("code")) {
      code.replaceWith(el("button", { type: "button", class: "code", title: "Put it into the line below", onclick: () => { $("line").value = code.textContent; $("line").focus(); } }, code.textContent));
    }
    return item;
  }));
}
$("dismiss").addEventListener("click", () => { localStorage.setItem("guided", "yes"); $("guide").hidden = true; $("line").focus(); });

listen({ changed: refresh, records: addRecords, drift: showDrift, access: setAccess });
document.addEventListener("visibilitychange", refresh);

$("toggle").addEventListener("click", () => {
  const open = $("side").classList.toggle("open");
  $("toggle").setAttribute("aria-expanded", String(open));
});
