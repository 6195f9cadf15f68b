// Texts as Slack shows them: mrkdwn, mentions, links, dates and emoji.

import { el } from "./dom.js";
import { now, state } from "./server.js";

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
  "⏱": ["", "M13.5 9A5.5 5.5 0 1 1 2.5 9a5.5 5.5 0 0 1 11 0M8 9V6M6.5 1.5h3M8 1.5v2"], "🔎": ["", "M11 7A4 4 0 1 1 3 7a4 4 0 0 1 8 0M10 10l4 4"],
  "🙋": ["", "M10.5 5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0M3 14a5 5 0 0 1 10 0M13 8.5V2"],
  "🔑": ["", "M8.5 10.5a3 3 0 1 1-6 0 3 3 0 0 1 6 0M7.6 8.4L13 3M10.5 5.5l2 2"],
  "⏰": ["", "M13 9A5 5 0 1 1 3 9a5 5 0 0 1 10 0M8 6.5V9l2 1.2M2 4.5L4.5 2M14 4.5L11.5 2"], "🔁": ["", "M11 2l2.5 2.5L11 7M13.5 4.5H5a2.5 2.5 0 0 0-2.5 2.5M5 14l-2.5-2.5L5 9M2.5 11.5H11a2.5 2.5 0 0 0 2.5-2.5"],
  "👀": ["", "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z"],
  "🚨": ["bad", "M4 12V8a4 4 0 0 1 8 0v4M2.5 14v-2h11v2zM8 1v1M2 3l1 1M14 3l-1 1"],
  "✂": ["", "M4 10.5a2 2 0 1 1 0 3.9a2 2 0 0 1 0-3.9M12 10.5a2 2 0 1 1 0 3.9a2 2 0 0 1 0-3.9M5 10.8L11 2M11 10.8L5 2"],
  "⭐": ["warn", "M8 2l1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z"],
  "🗓": ["", "M2.5 3.5h11v10h-11zM2.5 6.5h11M5.5 2v3M10.5 2v3"],
  "ℹ": ["", ring + "M8 7.3v4M8 4.8v.3"], "⚡": ["warn", "M9 1.5L3.5 9H8l-1 5.5L12.5 7H8z"],
};
const drawable = new RegExp(`(${Object.keys(drawings).join("|")})\\uFE0F?`, "u");

// words makes nodes of plain text, with emoji drawn, those too that are written as names.
export const words = (text) => drawn(withEmoji(text));

// drawn makes nodes of text, with emoji drawn.
export function drawn(text) {
  return text.split(drawable).map((part, i) => (i % 2 ? drawing(part) : part));
}

export function drawing(emoji) {
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

export function personName(id) {
  if (id === state.app.id) return state.app.name;
  if (id === "USLACKBOT") return "Slackbot";
  const p = state.people.find((p) => p.id === id);
  return p ? p.name : id;
}

// dateText writes a moment as Slack's date tokens ask for it.
function dateText(seconds, format) {
  const at = new Date(seconds * 1000);
  const day = (style) => new Intl.DateTimeFormat(undefined, { dateStyle: style }).format(at);
  const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);
  const pretty = (style) => ({ "-1": "yesterday", 0: "today", 1: "tomorrow" })[Math.round((midnight(at) - midnight(now())) / 86400000)] || day(style);
  const tokens = {
    "{date_num}": () => at.toLocaleDateString("sv"), "{date}": () => day("long"), "{date_short}": () => day("medium"),
    "{date_long}": () => day("full"), "{date_pretty}": () => pretty("long"), "{date_short_pretty}": () => pretty("medium"),
    "{date_long_pretty}": () => pretty("full"),
    "{time}": () => new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(at),
    "{time_secs}": () => new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(at),
    "{ago}": () => ago(at - now()),
  };
  return format.replace(/\{[a-z_]+\}/g, (token) => (tokens[token] ? tokens[token]() : token));
}

// ago says how far away a time is, which may be to come.
function ago(ms) {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find(([, size]) => Math.abs(ms) >= size * 1000) || ["second", 1];
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.trunc(ms / 1000 / size), unit);
}

// Dates count by themselves, as they do in Slack.
setInterval(() => {
  for (const node of document.querySelectorAll("time[data-format]")) {
    const text = dateText(Number(node.dataset.seconds), node.dataset.format);
    if (node.textContent !== text) node.textContent = text;
  }
}, 1000);

// timeNode shows a moment as a format of Slack's asks for it.
export function timeNode(seconds, format) {
  const at = new Date(seconds * 1000);
  return el("time", { datetime: at.toISOString(), title: at.toString(), "data-seconds": seconds, "data-format": format }, dateText(Number(seconds), format));
}

function anchor(target, label) {
  if (!/^(https?:\/\/|mailto:)/i.test(target)) return label instanceof Node ? label : document.createTextNode(label);
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
    const [, seconds, format, link] = target.split("^");
    if (Number.isNaN(new Date(seconds * 1000).valueOf())) return document.createTextNode(label);
    const time = timeNode(seconds, decode(format || ""));
    return link ? anchor(decode(link), time) : time;
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

export function mrkdwn(text, verbatim) {
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

export function textNode(t) {
  if (!t) return document.createTextNode("");
  if (t.type === "mrkdwn") return mrkdwn(t.text, t.verbatim);
  return el("div", { class: "rich" }, ...(t.emoji === false ? drawn(t.text) : words(t.text)));
}

export const plainOf = (t) => (t ? withEmoji(t.text) : "");
