// A dialog before what cannot be undone. It says what will happen; with `typed`, the reader types that word first.

import { element } from "../../page/src/dom.js";

export interface Question {
  readonly title: string;
  readonly text: string;
  /** The word on the button, such as "Erase". */
  readonly act: string;
  readonly typed?: string;
}

/** Resolves to whether the reader agrees. */
export function askTwice({ title, text, act, typed }: Question): Promise<boolean> {
  const go = element("button", { type: "submit", value: "go", class: "danger", testid: "agree", disabled: typed !== undefined }, act);
  const box = typed === undefined ? null : element("input", { type: "text", autocomplete: "off", spellcheck: "false", testid: "typed", "aria-label": `Type ${typed} to go on`, oninput: () => {
    go.disabled = box?.value !== typed;
  } });
  const dialog = element("dialog", { "aria-labelledby": "asked", testid: "ask-twice" },
    element("form", { method: "dialog" },
      element("h2", { id: "asked" }, title), element("p", {}, text),
      typed === undefined ? null : element("p", {}, "Type ", element("code", {}, typed), " to go on."), box,
      element("p", { class: "row" }, element("button", { type: "submit", value: "", formnovalidate: true, class: "quiet" }, "Cancel"), go)));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "go" && (typed === undefined || box?.value === typed));
    });
  });
}
