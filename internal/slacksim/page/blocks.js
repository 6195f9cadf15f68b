// Blocks of messages and views, as Slack draws them.

import { el } from "./dom.js";
import { chart, table } from "./data.js";
import { makers } from "./elements.js";
import { plainOf, textNode, words } from "./text.js";

// context: { at, values, errors, inModal }
export function blockNodes(blocks, context) {
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
      case "alert": return el("div", { class: "block alert " + (b.level || "default"), role: "note" }, textNode(b.text));
      case "container": {
        const inner = blockNodes(b.child_blocks, context);
        const title = [el("b", {}, plainOf(b.title)), b.subtitle ? textNode(b.subtitle) : null];
        return b.is_collapsible
          ? el("details", { class: "block container", open: !b.default_collapsed }, el("summary", {}, ...title.filter(Boolean)), ...inner)
          : el("section", { class: "block container" }, ...title.filter(Boolean), ...inner);
      }
      case "data_table": return table(b, [context.at.view_id || context.at.ts, b.block_id].join("-"), (e) => make(e));
      case "data_visualization": return chart(b);
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
