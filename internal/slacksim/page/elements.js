// What people press, choose and type in.

import { $, el } from "./dom.js";
import { act, state, toast } from "./server.js";
import { drawn, personName, plainOf, textNode } from "./text.js";

// What was typed and not sent yet; it is sent before a form is submitted.
export const unsent = new Map();

// Entries go out one after the other, and a button's press after them: leaving
// a field and pressing are one move of the hand.
let entered = Promise.resolve();

export function sendUnsent() {
  unsent.forEach((u) => u.send());
  return entered;
}

// spot says where an element is: { at, block, element, values, id }. failed is
// called if the server does not have the values.
function enter(spot, values, pressed = false, failed = () => {}) {
  entered = entered.then(() => act("enter", { at: spot.at, block_id: spot.block, action_id: spot.element.action_id, values, enter: pressed }))
    .catch((error) => { failed(); toast(error); });
  return entered;
}

const optionText = (o) => plainOf(o.text);
const chosenOptions = (v) => v.selected_options || (v.selected_option ? [v.selected_option] : []);
const personOption = (p) => ({ value: p.id, text: { type: "plain_text", text: p.name } });

export const makers = {
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
    } }, ...drawn(plainOf(e.text)));
  },
  image: (spot) => el("span", { class: "tag" }, spot.element.alt_text),
  overflow(spot) {
    const node = el("select", { class: "overflow", "aria-label": "More" }, el("option", { value: "" }, "⋯"),
      ...spot.element.options.map((o) => el("option", { value: o.value }, optionText(o))));
    node.addEventListener("change", () => { enter(spot, [node.value]); node.value = ""; });
    return node;
  },
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
  datepicker: (spot) => picker(spot, "date", spot.value.selected_date || ""),
  timepicker: (spot) => picker(spot, "time", spot.value.selected_time || ""),
  datetimepicker(spot) {
    const pad = (n) => String(n).padStart(2, "0");
    const at = spot.value.selected_date_time ? new Date(spot.value.selected_date_time * 1000) : null;
    const shown = at ? `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}` : "";
    return picker(spot, "datetime-local", shown, (text) => String(Math.floor(new Date(text) / 1000)));
  },
  checkboxes: (spot) => choices(spot, "checkbox"),
  radio_buttons: (spot) => choices(spot, "radio"),
};

function typing(spot, input) {
  const key = spot.id;
  const keep = () => unsent.set(key, { text: input.value, send });
  const send = (pressed = false) => {
    unsent.delete(key);
    return enter(spot, input.value === "" ? [] : [input.value], pressed, () => { if (input.isConnected) keep(); });
  };
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

// picker is the browser's own for a date or a time.
function picker(spot, type, value, sent = (text) => text) {
  const input = el("input", { id: spot.id, type, "aria-label": spot.labelled ? undefined : plainOf(spot.element.placeholder) || "Choose" });
  input.value = value;
  input.addEventListener("change", () => enter(spot, input.value ? [sent(input.value)] : []));
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
