// Slack's data tables and charts.

import { el } from "./dom.js";
import { timeNode } from "./text.js";

// Where people are in each table: its page, and what it is sorted by.
const places = new Map();

const parts = (c) => c.elements.flatMap((section) => section.elements);
const moment = (c) => (c.type === "rich_text" ? (parts(c).find((e) => e.type === "date") || {}).timestamp : undefined);
const richText = (c) => el("span", {}, ...parts(c).map((e) => (e.type === "date" ? timeNode(e.timestamp, e.format) : e.text)));
const cellText = (c) => (c.type === "raw_number" ? c.text || String(c.value) : c.text || "");

// table draws a data table, a page at a time; make draws the button of a cell.
export function table(b, id, make) {
  const [head, ...rows] = b.rows;
  const size = b.page_size || 5;
  const place = places.get(id) || { page: 0, by: -1, down: false };
  places.set(id, place);
  const box = el("div", { class: "block data", id });
  const draw = (focus) => {
    const sorted = place.by < 0 ? rows : [...rows].sort((x, y) => {
      const [a, c] = [x[place.by], y[place.by]];
      const order = a.type === "raw_number" && c.type === "raw_number" ? a.value - c.value
        : moment(a) && moment(c) ? moment(a) - moment(c) : cellText(a).localeCompare(cellText(c), undefined, { numeric: true });
      return place.down ? -order : order;
    });
    const pages = Math.max(Math.ceil(rows.length / size), 1);
    place.page = Math.min(place.page, pages - 1);
    const turn = (by, label) => el("button", {
      type: "button", class: "small", id: id + label, disabled: place.page + by < 0 || place.page + by >= pages,
      onclick: () => { place.page += by; draw(id + label); },
    }, label);
    const header = (c, i) => el("th", { scope: "col", "aria-sort": place.by === i ? (place.down ? "descending" : "ascending") : undefined },
      cellText(c) ? el("button", { type: "button", class: "sort", id: id + "-" + i, onclick: () => {
        if (place.by === i) place.down = !place.down; else { place.by = i; place.down = false; }
        draw(id + "-" + i);
      } }, cellText(c) + (place.by === i ? (place.down ? " ↓" : " ↑") : "")) : el("span", { class: "hidden" }, "Actions"));
    const cell = (c, i) => el(i === b.row_header_column_index ? "th" : "td", {
      scope: i === b.row_header_column_index ? "row" : undefined, class: c.type === "raw_number" ? "number" : undefined,
    }, c.type === "action_cell" ? make(c.element) : c.type === "rich_text" ? richText(c) : cellText(c));
    box.replaceChildren(
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": b.caption }, el("table", {}, el("caption", {}, b.caption),
        el("thead", {}, el("tr", {}, ...head.map(header))),
        el("tbody", {}, ...sorted.slice(place.page * size, (place.page + 1) * size).map((row) => el("tr", {}, ...row.map(cell)))))),
      pages > 1 ? el("div", { class: "row" }, turn(-1, "Previous"), turn(1, "Next"), el("small", {}, `Page ${place.page + 1} of ${pages}`)) : "");
    if (focus && box.querySelector("#" + CSS.escape(focus))) box.querySelector("#" + CSS.escape(focus)).focus();
  };
  draw();
  return box;
}

const svg = (tag, props, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const wide = 480;
const high = 170;

// chart draws a pie, bars, areas or lines, with a legend, and its numbers as a table
// for who can't see it.
export function chart(b) {
  const c = b.chart;
  const series = c.type === "pie" ? c.segments.map((s) => ({ name: s.label, data: [{ label: b.title, value: s.value }] })) : c.series;
  const categories = c.type === "pie" ? [b.title] : c.axis_config.categories;
  const value = (s, category) => (s.data.find((p) => p.label === category) || { value: 0 }).value;
  const picture = c.type === "pie" ? pie(c.segments) : axes(c, series, categories, value);
  picture.setAttribute("class", "chart");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", b.title);
  return el("figure", { class: "block data" }, el("figcaption", {}, b.title), picture,
    el("ul", { class: "legend" }, ...series.map((s, i) => el("li", { class: "hue" + i }, s.name + (c.type === "pie" ? ": " + s.data[0].value : "")))),
    el("table", { class: "hidden" }, el("caption", {}, b.title),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Series"), ...categories.map((x) => el("th", { scope: "col" }, x)))),
      el("tbody", {}, ...series.map((s) => el("tr", {}, el("th", { scope: "row" }, s.name), ...categories.map((x) => el("td", {}, String(value(s, x)))))))));
}

function pie(segments) {
  const all = segments.reduce((sum, s) => sum + s.value, 0) || 1;
  const at = (share) => [85 + 70 * Math.sin(2 * Math.PI * share), 85 - 70 * Math.cos(2 * Math.PI * share)];
  let from = 0;
  return svg("svg", { viewBox: `0 0 170 ${high}` }, ...segments.map((s, i) => {
    const share = Math.min(s.value / all, 0.9999);
    const [x, y] = at(from);
    const [to, down] = at(from + share);
    from += share;
    return svg("path", { class: "hue" + i, d: `M85 85L${x} ${y}A70 70 0 ${share > 0.5 ? 1 : 0} 1 ${to} ${down}Z` });
  }));
}

function axes(c, series, categories, value) {
  const [left, bottom, top] = [40, 32, 8];
  const most = Math.max(...series.flatMap((s) => categories.map((x) => value(s, x))), 0) || 1;
  const step = (wide - left) / categories.length;
  const y = (v) => top + (high - bottom - top) * (1 - v / most);
  const middle = (n) => left + step * (n + 0.5);
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${high}` });
  const label = (text, props) => svg("text", props, text);
  for (const part of [0, 0.5, 1]) {
    const v = most * part;
    picture.append(svg("line", { class: "grid", x1: left, x2: wide, y1: y(v), y2: y(v) }),
      label(String(Math.round(v * 10) / 10), { x: left - 5, y: y(v) + 4, "text-anchor": "end" }));
  }
  const each = Math.ceil(categories.length / 8); // more would run into each other
  categories.forEach((x, n) => { if (n % each === 0) picture.append(label(x, { x: middle(n), y: high - bottom + 14, "text-anchor": "middle" })); });
  if (c.axis_config.y_label) picture.append(label(c.axis_config.y_label, { x: 10, y: (high - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 10 ${(high - bottom) / 2})` }));
  if (c.axis_config.x_label) picture.append(label(c.axis_config.x_label, { x: (left + wide) / 2, y: high - 2, "text-anchor": "middle" }));
  series.forEach((s, i) => {
    const points = categories.map((x, n) => [middle(n), y(value(s, x))]);
    if (c.type === "bar") {
      const width = (step * 0.8) / series.length;
      points.forEach(([, at], n) => picture.append(svg("rect", { class: "hue" + i, x: left + step * (n + 0.1) + width * i, y: at, width, height: Math.max(high - bottom - at, 0) })));
      return;
    }
    const path = "M" + points.map((p) => p.join(" ")).join("L");
    if (c.type === "area") picture.append(svg("path", { class: "area hue" + i, d: `${path}L${middle(categories.length - 1)} ${high - bottom}L${middle(0)} ${high - bottom}Z` }));
    picture.append(svg("path", { class: "line hue" + i, d: path }), ...points.map(([cx, cy]) => svg("circle", { class: "hue" + i, cx, cy, r: 2.5 })));
  });
  return picture;
}
