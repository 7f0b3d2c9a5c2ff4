// A question of the agent: options as buttons, a schema as a small form, anything else as a box for text. The server
// says whether an answer is allowed; its end comes as an event, whatever tab it was answered in.

import type { EventData, JSON as Json } from "greenroom";
import { element, pretty } from "./dom.js";
import { type Field, fieldsOf, labelOf, valueOf } from "./fields.js";
import { wordsOf } from "./threads.js";

const isToday = (then: Date): boolean => then.toDateString() === new Date().toDateString();
const moment = (then: Date): string => (isToday(then) ? then.toLocaleTimeString() : then.toLocaleString());

export class Question {
  readonly card: HTMLElement;
  readonly #answer: (value: Json) => Promise<unknown>;
  readonly #controls: HTMLElement;
  readonly #fate = element("p", { class: "fate", role: "status" });

  /** answer: it rejects with the server's reason. */
  constructor({ prompt, options, schema, expires }: EventData["input_requested"], answer: (value: Json) => Promise<unknown>) {
    this.#answer = answer;
    this.#controls = options ? this.#buttons(options) : this.#form(fieldsOf(schema));
    const until = expires ? element("p", { class: "until" }, `Until ${moment(new Date(expires))}`) : null;
    this.card = element("section", { class: "question", testid: "question-asked", "data-state": "open", "aria-label": "Question" },
      element("p", { class: "prose" }, pretty(prompt)), this.#controls, until, this.#fate);
  }

  /** Where its end is seen. */
  close(state: string, text: string): HTMLElement {
    this.card.dataset["state"] = state;
    this.#controls.remove();
    this.card.querySelector(".until")?.remove();
    this.#fate.classList.remove("error");
    this.#fate.textContent = text;
    return this.#fate;
  }

  #buttons(options: readonly Json[]): HTMLElement {
    const button = (value: Json) => element("button", { type: "button", class: "quiet", testid: "option", onclick: () => void this.#send(value) }, labelOf(value));
    return element("div", { class: "row options", role: "group", "aria-label": "Answers" }, ...options.map(button));
  }

  #form(fields: readonly Field[]): HTMLElement {
    const submit = (event: Event) => {
      event.preventDefault();
      this.#submit(fields);
    };
    return element("form", { class: "fields", onsubmit: submit }, ...fields.map(({ row }) => row),
      element("div", { class: "row" }, element("button", { class: "primary", testid: "answer-form" }, "Answer")));
  }

  #submit(fields: readonly Field[]): void {
    try {
      void this.#send(valueOf(fields));
    } catch (error) {
      this.#complain(wordsOf(error));
    }
  }

  async #send(value: Json): Promise<void> {
    this.#enable(false);
    this.#fate.classList.remove("error");
    this.#fate.textContent = "Sending…";
    try {
      await this.#answer(value);
    } catch (error) {
      if (this.card.dataset["state"] !== "open") return; // its end says more
      this.#complain(wordsOf(error));
      this.#enable(true);
    }
  }

  #complain(text: string): void {
    this.#fate.classList.add("error");
    this.#fate.textContent = text;
  }

  #enable(is: boolean): void {
    const controls = this.#controls.querySelectorAll<HTMLButtonElement | HTMLInputElement>("button, input, select, textarea");
    for (const control of controls) control.disabled = !is;
  }
}
