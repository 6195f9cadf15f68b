// The page of the simulated Slack. All state is the server's: this shows what
// /sim/state says, and sends what its person does. Text of users only ever
// becomes text nodes.
"use strict";

const $ = (id) => document.getElementById(id);
let me = localStorage.getItem("me") || "";
let here = location.hash.slice(1);
let state = null;

// el makes an element. Strings among the children become text nodes.
function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

// ---- talking to the server ----

let refreshing = false;
let stale = false;

async function refresh() {
  if (refreshing) { stale = true; return; }
  refreshing = true;
  do {
    stale = false;
    const asked = [me, here].join();
    try {
      const answer = await fetch("/sim/state?" + new URLSearchParams({ as: me, in: here }));
      const body = await answer.json();
      if (answer.ok && asked === [me, here].join()) show(body);
    } catch { /* the stream reconnects, and asks again */ }
  } while (stale);
  refreshing = false;
}

async function act(action, args) {
  const answer = await fetch("/sim/" + action, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ as: me, in: here, ...args }),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body.result;
}

let toastTimer = 0;
function toast(error) {
  $("toast").textContent = error.message;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 8000);
}

// ---- text ----

const emojis = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", no_entry: "⛔", no_entry_sign: "🚫", warning: "⚠️", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", lock: "🔒", unlock: "🔓", key: "🔑", rotating_light: "🚨", bell: "🔔", wave: "👋", tada: "🎉",
  eyes: "👀", thumbsup: "👍", "+1": "👍", "-1": "👎", clock1: "🕐", stopwatch: "⏱️", alarm_clock: "⏰", shield: "🛡️", robot_face: "🤖",
  information_source: "ℹ️", question: "❓", arrow_right: "➡️", red_circle: "🔴", large_green_circle: "🟢", large_yellow_circle: "🟡",
  white_circle: "⚪", large_blue_circle: "🔵", memo: "📝", page_facing_up: "📄", gear: "⚙️", rocket: "🚀", fire: "🔥", zap: "⚡",
  speech_balloon: "💬", bust_in_silhouette: "👤", door: "🚪", broom: "🧹", arrows_counterclockwise: "🔄", leftwards_arrow_with_hook: "↩️",
};

// Slack draws emoji itself, whatever fonts there are; so do we with those that
// the app writes. Each is a mood and a path in a square of 16.
const ring = "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0";
const drawings = {
  "✅": ["good", ring + "M5.2 8.2l2 2 3.6-4"], "☑": ["good", ring + "M5.2 8.2l2 2 3.6-4"], "⛔": ["bad", ring + "M5 8h6"],
  "🟡": ["warn", "M8 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zm0-1.5a4 4 0 1 1 0 8 4 4 0 0 1 0-8z"], "⚠": ["warn", "M8 2l6.5 11.5h-13zM8 6.5v3M8 11.5v.3"],
  "⌛": ["", "M4 2h8M4 14h8M5 2v2.5L8 8l3-3.5V2M5 14v-2.5L8 8l3 3.5V14"], "⏳": ["", "M4 2h8M4 14h8M5 2v2.5L8 8l3-3.5V2M5 14v-2.5L8 8l3 3.5V14"],
  "🔓": ["good", "M3.5 7.5h9v6.5h-9zM5.5 7.5V4.8a2.5 2.5 0 0 1 4.8-1"], "🔒": ["", "M3.5 7.5h9v6.5h-9zM5.5 7.5V4.8a2.5 2.5 0 0 1 5 0v2.7"],
  "↩": ["", "M6.5 3.5L3 7l3.5 3.5M3 7h6.5a3.5 3.5 0 0 1 0 7H8"], "⏭": ["", "M3 4v8l5-4zM8 4v8l5-4zM13.5 4v8"],
  "📨": ["", "M2 4h12v8.5H2zM2 4.5L8 9l6-4.5"], "✏": ["", "M3 13l.7-3 6.8-6.8 2.3 2.3L6 12.3z"], "✋": ["warn", "M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5zM5 8h6"],
  "ℹ": ["", ring + "M8 7.3v4M8 4.8v.3"], "⚡": ["warn", "M9 1.5L3.5 9H8l-1 5.5L12.5 7H8z"],
};
const drawable = new RegExp(`(${Object.keys(drawings).join("|")})\\uFE0F?`, "u");

// words makes nodes of plain text, with emoji drawn.
function words(text) {
  return withEmoji(text).split(drawable).map((part, i) => (i % 2 ? drawing(part) : part));
}

function drawing(emoji) {
  const [mood, path] = drawings[emoji];
  const make = (tag, props, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  return make("svg", { class: "emoji " + mood, viewBox: "0 0 16 16", role: "img", "aria-label": emoji }, make("path", { d: path }));
}

const decode = (t) => t.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const withEmoji = (t) => t.replace(/:([a-z0-9_+-]+):/g, (all, name) => emojis[name] || all);

function personName(id) {
  if (id === state.app.id) return state.app.name;
  if (id === "USLACKBOT") return "Slackbot";
  const p = state.people.find((p) => p.id === id);
  return p ? p.name : id;
}

function dateText(seconds, format) {
  const at = new Date(seconds * 1000);
  const day = (style) => new Intl.DateTimeFormat(undefined, { dateStyle: style }).format(at);
  const pretty = (style) => (at.toDateString() === new Date().toDateString() ? "today" : day(style));
  const tokens = {
    "{date_num}": () => at.toLocaleDateString("sv"), "{date}": () => day("long"), "{date_short}": () => day("medium"),
    "{date_long}": () => day("full"), "{date_pretty}": () => pretty("long"), "{date_short_pretty}": () => pretty("medium"),
    "{date_long_pretty}": () => pretty("full"),
    "{time}": () => new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(at),
    "{time_secs}": () => new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(at),
    "{ago}": () => new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(at),
  };
  return format.replace(/\{[a-z_]+\}/g, (token) => (tokens[token] ? tokens[token]() : token));
}

function anchor(target, label) {
  if (!/^(https?:\/\/|mailto:)/i.test(target)) return document.createTextNode(label);
  return el("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, label);
}

function reference(inner) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : decode(inner.slice(bar + 1));
  if (target.startsWith("@")) return el("span", { class: "mention" }, "@" + personName(target.slice(1)));
  if (target.startsWith("#")) {
    const c = state.conversations.find((c) => c.id === target.slice(1));
    return el("span", { class: "mention" }, "#" + (c ? c.name : label || target.slice(1)));
  }
  if (target.startsWith("!subteam^")) {
    const g = state.groups.find((g) => g.id === target.slice(9));
    return el("span", { class: "mention" }, "@" + (g ? g.handle : label || target.slice(9)));
  }
  if (target.startsWith("!date^")) {
    const [, seconds, format] = target.split("^");
    return el("time", { title: new Date(seconds * 1000).toISOString() }, dateText(Number(seconds), decode(format || "")));
  }
  if (target.startsWith("!")) return el("span", { class: "mention loud" }, "@" + target.slice(1));
  return anchor(decode(target), label || decode(target));
}

const inline = /<([^<>\n]+)>|`([^`\n]+)`|(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])|(?<![\w_])_(\S(?:[^_\n]*\S)?)_(?![\w_])|(?<![\w~])~(\S(?:[^~\n]*\S)?)~(?![\w~])|(https?:\/\/[^\s<>|]+)/g;

function inlineNodes(text, verbatim) {
  const out = [];
  let last = 0;
  const plain = (t) => { if (t) out.push(...words(decode(t))); };
  for (const m of text.matchAll(inline)) {
    plain(text.slice(last, m.index));
    last = m.index + m[0].length;
    if (m[1]) out.push(reference(m[1]));
    else if (m[2]) out.push(el("code", {}, decode(m[2])));
    else if (m[3]) out.push(el("strong", {}, ...inlineNodes(m[3], verbatim)));
    else if (m[4]) out.push(el("em", {}, ...inlineNodes(m[4], verbatim)));
    else if (m[5]) out.push(el("s", {}, ...inlineNodes(m[5], verbatim)));
    else if (verbatim) plain(m[6]);
    else out.push(anchor(decode(m[6]), decode(m[6])));
  }
  plain(text.slice(last));
  return out;
}

function mrkdwn(text, verbatim) {
  const box = el("div", { class: "rich" });
  text.split("```").forEach((part, i) => {
    if (i % 2) { box.append(el("pre", {}, decode(part.replace(/^\n|\n$/g, "")))); return; }
    let quote = null;
    let first = true;
    for (const line of part.split("\n")) {
      const quoted = line.match(/^&gt; ?(.*)$/);
      if (quoted) {
        if (!quote) { quote = el("blockquote"); box.append(quote); } else quote.append("\n");
        quote.append(...inlineNodes(quoted[1], verbatim));
        first = true;
        continue;
      }
      quote = null;
      if (!first) box.append("\n");
      first = false;
      box.append(...inlineNodes(line, verbatim));
    }
  });
  return box;
}

function textNode(t) {
  if (!t) return document.createTextNode("");
  if (t.type === "mrkdwn") return mrkdwn(t.text, t.verbatim);
  return el("div", { class: "rich" }, ...(t.emoji === false ? [t.text] : words(t.text)));
}

const plainOf = (t) => (t ? withEmoji(t.text) : "");

// ---- elements ----

// What was typed and not sent yet; it is sent before a form is submitted.
const unsent = new Map();

// Entries go out one after the other, and a button's press after them: leaving
// a field and pressing are one move of the hand.
let entered = Promise.resolve();

function sendUnsent() {
  unsent.forEach((u) => u.send());
  return entered;
}

// spot says where an element is: { at, block, element, values, id }.
function enter(spot, values, pressed = false) {
  entered = entered.then(() => act("enter", { at: spot.at, block_id: spot.block, action_id: spot.element.action_id, values, enter: pressed })).catch(toast);
  return entered;
}

const optionText = (o) => plainOf(o.text);
const chosenOptions = (v) => v.selected_options || (v.selected_option ? [v.selected_option] : []);
const personOption = (p) => ({ value: p.id, text: { type: "plain_text", text: p.name } });

const makers = {
  button(spot) {
    const e = spot.element;
    const kind = { primary: spot.inModal ? "primary" : "approve", danger: "danger" }[e.style];
    return el("button", { type: "button", class: kind, "aria-label": e.accessibility_label, onclick: async (event) => {
      const button = event.currentTarget;
      if (e.confirm && !(await confirmed(e.confirm))) return;
      button.disabled = true;
      await sendUnsent();
      await act("press", { at: spot.at, block_id: spot.block, action_id: e.action_id }).catch(toast);
      button.disabled = false;
      if (e.url && /^https?:/.test(e.url)) open(e.url, "_blank", "noopener,noreferrer");
    } }, plainOf(e.text));
  },
  image: (spot) => el("span", { class: "tag" }, spot.element.alt_text),
  overflow: () => el("span", { class: "tag" }, "…"),
  plain_text_input(spot) {
    const e = spot.element;
    const input = el(e.multiline ? "textarea" : "input", { id: spot.id, placeholder: plainOf(e.placeholder) });
    return typing(spot, input);
  },
  number_input(spot) {
    const e = spot.element;
    const input = el("input", {
      id: spot.id, inputmode: e.is_decimal_allowed ? "decimal" : "numeric", placeholder: plainOf(e.placeholder),
    });
    return typing(spot, input);
  },
  static_select(spot) {
    const e = spot.element;
    const option = (o) => el("option", { value: o.value }, optionText(o));
    const children = e.option_groups
      ? e.option_groups.map((g) => el("optgroup", { label: plainOf(g.label) }, ...g.options.map(option)))
      : e.options.map(option);
    return select(spot, children, spot.value.selected_option ? spot.value.selected_option.value : "");
  },
  users_select(spot) {
    const children = state.people.map((p) => el("option", { value: p.id }, p.name));
    return select(spot, children, spot.value.selected_user || "");
  },
  external_select: (spot) => combo(spot, chosenOptions(spot.value), (query) => suggest(spot, query)),
  multi_external_select: (spot) => combo(spot, chosenOptions(spot.value), (query) => suggest(spot, query)),
  multi_static_select(spot) {
    const e = spot.element;
    const all = e.options || e.option_groups.flatMap((g) => g.options);
    return combo(spot, chosenOptions(spot.value), local(all));
  },
  multi_users_select(spot) {
    const chosen = (spot.value.selected_users || []).map((id) => ({ value: id, text: { text: personName(id) } }));
    return combo(spot, chosen, local(state.people.map(personOption)));
  },
  checkboxes: (spot) => choices(spot, "checkbox"),
  radio_buttons: (spot) => choices(spot, "radio"),
};

function typing(spot, input) {
  const key = spot.id;
  const send = (pressed = false) => { unsent.delete(key); return enter(spot, input.value === "" ? [] : [input.value], pressed); };
  const keep = () => unsent.set(key, { text: input.value, send });
  input.value = spot.value.value || "";
  if (unsent.has(key)) { input.value = unsent.get(key).text; keep(); }
  input.addEventListener("input", keep);
  input.addEventListener("change", () => { if (unsent.has(key)) send(); });
  // Where the app wants to hear of it, Enter tells it instead of submitting.
  if (spot.dispatch) input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(true); }
  });
  return input;
}

function select(spot, children, value) {
  const e = spot.element;
  const node = el("select", { id: spot.id, "aria-label": spot.labelled ? undefined : plainOf(e.placeholder) || "Choose" },
    el("option", { value: "" }, plainOf(e.placeholder) || "Choose an option"), ...children);
  node.value = value;
  node.addEventListener("change", () => enter(spot, node.value ? [node.value] : []));
  return node;
}

function choices(spot, type) {
  const chosen = new Set(chosenOptions(spot.value).map((o) => o.value));
  const box = el("div", { id: spot.id });
  spot.element.options.forEach((o, i) => {
    const input = el("input", { type, name: spot.id, value: o.value, id: spot.id + "-" + i });
    input.checked = chosen.has(o.value);
    const words = el("label", { for: input.id }, textNode(o.text), o.description ? el("small", {}, textNode(o.description)) : null);
    box.append(el("div", { class: "choice" }, input, words));
  });
  box.addEventListener("change", () => enter(spot, [...box.querySelectorAll("input:checked")].map((i) => i.value)));
  return box;
}

const local = (all) => async (query) => all.filter((o) => optionText(o).toLowerCase().includes(query.toLowerCase()));
const suggest = (spot, query) => act("suggest", { at: spot.at, block_id: spot.block, action_id: spot.element.action_id, text: query });

// combo is an input with a list of options to choose from, one or many.
function combo(spot, chosen, load) {
  const e = spot.element;
  const many = e.type.startsWith("multi_");
  const list = el("ul", { class: "options", role: "listbox", id: spot.id + "-list", hidden: true });
  const input = el("input", {
    id: spot.id, role: "combobox", autocomplete: "off", "aria-expanded": "false", "aria-controls": list.id,
    "aria-autocomplete": "list", "aria-label": spot.labelled ? undefined : plainOf(e.placeholder) || "Choose",
  });
  const chips = el("div", { class: "chips" }, input);
  let options = [];
  let active = -1;
  let asked = 0;
  let timer = 0;

  const showChips = () => {
    chips.querySelectorAll(".chip").forEach((c) => c.remove());
    for (const o of chosen) {
      input.before(el("button", { type: "button", class: "chip", "aria-label": "Remove " + optionText(o), onclick: () => {
        save(chosen.filter((c) => c !== o));
        input.focus();
      } }, optionText(o) + " ×"));
    }
    input.placeholder = chosen.length ? "" : plainOf(e.placeholder) || "Type to search";
  };
  const save = (next) => {
    chosen = next;
    showChips();
    enter(spot, chosen.map((o) => o.value));
  };
  const close = () => { list.hidden = true; active = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const mark = (i) => {
    active = i;
    [...list.children].forEach((li, n) => li.setAttribute("aria-selected", String(n === i)));
    const li = list.children[i];
    if (li && li.id) { input.setAttribute("aria-activedescendant", li.id); li.scrollIntoView({ block: "nearest" }); }
  };
  const choose = (o) => {
    input.value = "";
    close();
    if (!many) save([o]);
    else if (!chosen.some((c) => c.value === o.value)) save([...chosen, o]);
  };
  const open = (note) => {
    list.replaceChildren();
    if (note) list.append(el("li", { class: "none" }, note));
    options.forEach((o, i) => list.append(el("li", {
      role: "option", id: spot.id + "-option-" + i, onmousedown: (event) => { event.preventDefault(); choose(o); },
    }, optionText(o), o.description ? el("small", {}, plainOf(o.description)) : null)));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    list.scrollIntoView({ block: "nearest" });
    if (options.length) mark(0);
  };
  const ask = async () => {
    const least = e.type.includes("external") ? e.min_query_length ?? 3 : 0;
    const mine = ++asked;
    options = [];
    if (input.value.length < least) { open(`Type at least ${least} characters`); return; }
    open("Loading…");
    try {
      const found = (await load(input.value)) || [];
      if (mine !== asked || document.activeElement !== input) return;
      options = found;
      open(found.length ? "" : "No results");
    } catch (error) {
      if (mine === asked) open(error.message);
    }
  };
  const soon = () => { clearTimeout(timer); timer = setTimeout(ask, 180); };
  input.addEventListener("input", soon);
  input.addEventListener("focus", ask);
  input.addEventListener("blur", () => { asked++; clearTimeout(timer); input.value = ""; close(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) { ask(); return; }
      if (options.length) mark((active + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length);
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      if (options[active]) choose(options[active]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "Backspace" && input.value === "" && chosen.length) {
      save(chosen.slice(0, -1));
    }
  });
  showChips();
  return el("div", { class: "combo" }, chips, list);
}

function confirmed(c) {
  return new Promise((resolve) => {
    const dialog = $("confirm");
    const done = (yes) => { dialog.close(); resolve(yes); };
    dialog.oncancel = (event) => { event.preventDefault(); done(false); };
    dialog.replaceChildren(
      el("header", {}, el("h2", { id: "confirm-title" }, plainOf(c.title))),
      el("div", { class: "content" }, textNode(c.text)),
      el("footer", {},
        el("button", { type: "button", onclick: () => done(false) }, plainOf(c.deny)),
        el("button", { type: "button", class: c.style === "danger" ? "danger" : "primary", onclick: () => done(true) }, plainOf(c.confirm))));
    dialog.showModal();
  });
}

// ---- blocks ----

// context: { at, values, errors, inModal }
function blockNodes(blocks, context) {
  return (blocks || []).map((b) => {
    const make = (e, labelled) => (makers[e.type] || (() => el("span", { class: "tag" }, e.type)))({
      at: context.at, block: b.block_id, element: e, labelled, inModal: context.inModal, dispatch: b.dispatch_action,
      id: [context.at.view_id || context.at.ts, b.block_id, e.action_id].join("-"),
      value: ((context.values || {})[b.block_id] || {})[e.action_id] || {},
    });
    switch (b.type) {
      case "header": return el("div", { class: "block header" }, ...words(b.text.text));
      case "divider": return el("hr", { class: "block divider" });
      case "markdown": return el("div", { class: "block rich" }, b.text);
      case "image": return el("div", { class: "block" }, el("span", { class: "tag" }, b.alt_text));
      case "section": return el("div", { class: "block section" },
        el("div", { class: "words" }, b.text ? textNode(b.text) : null,
          b.fields ? el("div", { class: "fields" }, ...b.fields.map(textNode)) : null),
        b.accessory ? make(b.accessory) : null);
      case "context": return el("div", { class: "block context" },
        ...b.elements.map((e) => (e.type === "image" ? el("span", { class: "tag" }, e.alt_text) : textNode(e))));
      case "actions": return el("div", { class: "block actions" }, ...b.elements.map((e) => make(e)));
      case "input": return inputBlock(b, make(b.element, true), (context.errors || {})[b.block_id]);
    }
    return el("div", { class: "block" }, el("span", { class: "tag" }, b.type));
  });
}

function inputBlock(b, control, error) {
  const target = control.matches("input, select, textarea") ? control : control.querySelector("input[role=combobox]");
  const optional = b.optional ? el("span", { class: "optional" }, " (optional)") : null;
  const below = [];
  if (error) below.push(el("p", { class: "error", role: "alert" }, error));
  if (b.hint) below.push(el("p", { class: "hint" }, plainOf(b.hint)));
  if (target) {
    below.forEach((p, i) => { p.id = target.id + "-note-" + i; });
    if (below.length) target.setAttribute("aria-describedby", below.map((p) => p.id).join(" "));
    if (error) target.setAttribute("aria-invalid", "true");
    return el("div", { class: error ? "field wrong" : "field" },
      el("label", { for: target.id }, plainOf(b.label), optional), control, ...below);
  }
  return el("fieldset", { class: error ? "field wrong" : "field" }, el("legend", {}, plainOf(b.label), optional), control, ...below);
}

// ---- the three columns ----

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
  const first = !state;
  state = next;
  if (first) showAccess();
  me = state.me;
  if (here !== state.here) { here = state.here; history.replaceState(null, "", "#" + here); }
  const current = state.conversations.find((c) => c.id === here);
  redraw("people", [me, state.people], showPeople);
  redraw("list", [me, here, state.conversations, state.shortcuts], showList);
  redraw("title", [me, current, state.commands], () => showTitle(current));
  showMessages();
  showModal();
  $("access-panel").hidden = !state.has_access;
  $("records-panel").hidden = !state.has_records;
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
  me = id;
  localStorage.setItem("me", me);
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
  const item = (c) => el("li", {}, el("button", {
    type: "button", class: c.unread && c.id !== here ? "unread" : undefined, "aria-current": c.id === here ? "true" : undefined,
    title: c.name + (c.kind === "private_channel" ? " (private)" : ""), onclick: () => go(c.id),
  }, el("span", { class: "name" }, (c.kind.endsWith("channel") ? "# " : "") + c.name),
  c.kind === "private_channel" ? drawing("🔒") : null, c.id === here ? null : badge(c.unread)));
  const channels = state.conversations.filter((c) => c.kind.endsWith("channel"));
  const directs = state.conversations.filter((c) => !c.kind.endsWith("channel"));
  $("channels").replaceChildren(...channels.map(item));
  $("directs").replaceChildren(...(directs.length ? directs.map(item) : [el("li", { class: "none" }, "None yet")]));
  $("shortcuts").replaceChildren(...(state.shortcuts.length ? [el("h2", {}, "Shortcuts")] : []), ...state.shortcuts.map((s) =>
    el("button", { type: "button", onclick: () => act("shortcut", { callback_id: s.callback_id }).catch(toast) }, drawing("⚡"), " " + s.name)));
}

function go(id) {
  here = id;
  history.replaceState(null, "", "#" + id);
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
  const nodes = state.messages.map((m) => {
    const { values, ...shown } = m;
    const key = JSON.stringify([me, shown]);
    const existing = old.get(m.ts);
    if (existing && existing.dataset.key === key) return existing;
    added ||= !existing;
    const node = messageNode(m);
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

function messageNode(m) {
  const context = { at: { channel: here, ts: m.ts }, values: m.values };
  const at = new Date(Number(m.ts) * 1000);
  const content = m.blocks && m.blocks.length ? blockNodes(m.blocks, context) : [mrkdwn(m.text)];
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
        m.thread_ts ? el("span", { class: "tag" }, "in thread") : null,
        m.edited ? el("span", { class: "edited" }, "(edited)") : null),
      ...content));
}

function showModal() {
  const dialog = $("modal");
  const v = state.view;
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
      await act("submit", {}).catch(() => { /* shown in the form itself */ });
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
    if (!dialog.open) dialog.showModal();
    dialog.querySelector(".content").scrollTop = scroll;
    const first = dialog.querySelector("[aria-invalid=true]") || (focus && $(focus)) || form.querySelector("input, select, textarea");
    if (first) {
      first.focus();
      if (first.setSelectionRange && first.value) first.setSelectionRange(first.value.length, first.value.length);
    }
  });
}

const closeModal = () => act("close", {}).catch(toast);
$("modal").addEventListener("cancel", (event) => { event.preventDefault(); closeModal(); });

$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const line = $("line").value.trim();
  if (!line) return;
  const button = event.target.querySelector("button");
  $("line").value = "";
  button.disabled = true;
  $("toast").hidden = true;
  // What goes wrong with a command, Slackbot says in the conversation.
  await act("say", { text: line }).catch((error) => { if (!line.startsWith("/")) toast(error); });
  button.disabled = false;
});

// ---- access and audit ----

const shown = new Map(); // records by id

function addRecords(records) {
  for (const r of records) {
    const raw = r.raw;
    const small = [raw.event.type, raw.state.status === "completed" ? "" : raw.state.status, raw.event.channel, clock(r.at)];
    const node = el("li", { class: r.mood }, el("details", { class: "fresh" },
      el("summary", {}, el("span", { class: "line" }, r.line), r.note ? el("span", { class: "note" }, r.note) : null,
        el("small", {}, small.filter(Boolean).join(" · "))),
      el("pre", { tabindex: "0" }, JSON.stringify(raw, null, 2))));
    const earlier = shown.get(r.id);
    if (earlier && earlier.isConnected) earlier.replaceWith(node);
    else $("records").prepend(node);
    shown.set(r.id, node);
  }
  $("count").textContent = `(${shown.size})`;
  $("no-records").hidden = shown.size > 0;
  while ($("records").children.length > 300) $("records").lastChild.remove();
}

const clock = (time) => new Date(time).toLocaleTimeString([], { timeStyle: "medium" });

let grants = [];

function showAccess() {
  if (!state) return; // names come with it
  $("access").replaceChildren(...(grants.length ? grants.map((g) => {
    const person = state.people.find((p) => p.email === g.who);
    return el("li", { class: "fresh" }, el("div", {}, el("b", {}, person ? person.name : g.who), " has access to ", el("b", {}, g.what)),
      el("small", {}, g.until ? el("span", { "data-until": g.until }) : "until somebody ends it"));
  }) : [el("li", { class: "none" }, "Nobody has access to anything.")]));
  countDown();
}

// What differs, as people read it.
const differs = {
  lingering: (d) => [d.who, " still has access to ", d.what, "It was to be gone, and is being taken away."],
  missing: (d) => [d.who, " has lost access to ", d.what, "Somebody took it away at the target."],
  back: (d) => [d.who, " has access to ", d.what, "It was taken away, and somebody else gave it again."],
  unknown: (d) => [d.who, " has access to ", d.what, "Nobody asked for it here."],
};

function showDrift(found) {
  $("drift-panel").hidden = !found.length;
  $("drift").replaceChildren(...found.map((d) => {
    const person = state && state.people.find((p) => p.email === d.who);
    const [who, verb, what, why] = differs[d.kind]({ ...d, who: person ? person.name : d.who });
    return el("li", { class: "fresh" }, el("div", {}, el("b", {}, who), verb, el("b", {}, what)), el("small", {}, why));
  }));
}

function countDown() {
  for (const node of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((new Date(node.dataset.until) - Date.now()) / 1000);
    const pad = (n) => String(n).padStart(2, "0");
    const words = `${left >= 3600 ? Math.floor(left / 3600) + ":" : ""}${pad(Math.floor(left / 60) % 60)}:${pad(left % 60)}`;
    node.textContent = left > 0 ? `ends in ${words}, at ${clock(node.dataset.until)}` : "ending now…";
  }
}
setInterval(countDown, 1000);

const stream = new EventSource("/sim/stream");
stream.addEventListener("changed", refresh);
stream.addEventListener("records", (event) => addRecords(JSON.parse(event.data)));
stream.addEventListener("drift", (event) => showDrift(JSON.parse(event.data)));
stream.addEventListener("access", (event) => { grants = JSON.parse(event.data); showAccess(); });
document.addEventListener("visibilitychange", refresh);

$("toggle").addEventListener("click", () => {
  const open = $("side").classList.toggle("open");
  $("toggle").setAttribute("aria-expanded", String(open));
});
$("guide").hidden = localStorage.getItem("guided") === "yes";
$("dismiss").addEventListener("click", () => { localStorage.setItem("guided", "yes"); $("guide").hidden = true; $("line").focus(); });
$("example").addEventListener("click", () => { $("line").value = $("example").textContent; $("line").focus(); });
