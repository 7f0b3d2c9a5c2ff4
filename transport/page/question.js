// A question of the agent: options as buttons, a schema as a small form, anything else as a box for text. The server
// says whether an answer is allowed; its end comes as an event, whatever tab it was answered in.

import { element, pretty } from "./dom.js";

const label = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const isToday = (then) => then.toDateString() === new Date().toDateString();
const moment = (then) => (isToday(then) ? then.toLocaleTimeString() : then.toLocaleString());
const titled = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

export class Question {
  #answer; #controls; #fate; #form = null;

  /** answer: async (value); it rejects with the server's reason. */
  constructor({ prompt, options, schema, expires }, answer) {
    this.#answer = answer;
    this.#fate = element("p", { class: "fate", role: "status" });
    this.#controls = options ? this.#buttons(options) : this.#fields(schema);
    const until = expires ? element("p", { class: "until" }, `Until ${moment(new Date(expires))}`) : null;
    this.card = element("section", { class: "question", testid: "question-asked", "data-state": "open", "aria-label": "Question" },
      element("p", { class: "prose" }, pretty(prompt)), this.#controls, until, this.#fate);
  }

  /** Where its end is seen. */
  close(state, text) {
    this.card.dataset.state = state;
    this.#controls.remove();
    this.card.querySelector(".until")?.remove();
    this.#fate.classList.remove("error");
    this.#fate.textContent = text;
    return this.#fate;
  }

  #buttons(options) {
    const button = (value) => element("button", { type: "button", class: "quiet", testid: "option", onclick: () => this.#send(value) }, label(value));
    return element("div", { class: "row options", role: "group", "aria-label": "Answers" }, ...options.map(button));
  }

  #fields(schema) {
    const fields = fieldsOf(schema);
    const submit = (event) => {
      event.preventDefault();
      try {
        this.#send(valueOf(fields));
      } catch (error) {
        this.#complain(error.message);
      }
    };
    this.#form = element("form", { class: "fields", onsubmit: submit }, ...fields.map(({ row }) => row),
      element("div", { class: "row" }, element("button", { class: "primary", testid: "answer-form" }, "Answer")));
    return this.#form;
  }

  async #send(value) {
    this.#enable(false);
    this.#fate.classList.remove("error");
    this.#fate.textContent = "Sending…";
    try {
      await this.#answer(value);
    } catch (error) {
      if (this.card.dataset.state !== "open") return; // its end says more
      this.#complain(error.message);
      this.#enable(true);
    }
  }

  #complain(text) {
    this.#fate.classList.add("error");
    this.#fate.textContent = text;
  }

  #enable(is) {
    for (const control of this.#controls.querySelectorAll("button, input, select, textarea")) control.disabled = !is;
  }
}

// ── fields: {name, row, read}; `read` gives the value, or undefined for one that is left out ──

/** An object has a field for each of its properties; any other value is one field. */
function fieldsOf(root) {
  const schema = resolved(root ?? { type: "string" }, root);
  if (schema.type !== "object" || !schema.properties) return [field(null, schema, true, root)];
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).map(([name, part]) => field(name, part, required.has(name), root));
}

function valueOf(fields) {
  if (fields.length === 1 && fields[0].name === null) return fields[0].read();
  const entries = fields.map(({ name, read }) => [name, read()]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

function field(name, part, required, root) {
  const { schema, optional } = withoutNull(resolved(part, root), root);
  const must = required && !optional;
  const { control, read } = controlFor(schema, must, schema.title ?? (name && titled(name)) ?? "Your answer", root);
  const text = element("span", {}, schema.title ?? (name === null ? "Your answer" : titled(name)), must ? null : element("small", {}, " (optional)"));
  const row = element("label", { class: schema.type === "boolean" ? "check" : null }, text, control);
  if (schema.description) row.append(element("small", {}, schema.description));
  return { name, row, read: () => (optional && required ? read() ?? null : read()) };
}

function controlFor(schema, required, title, root) {
  if (Array.isArray(schema.enum)) return choice(schema.enum, required);
  if (schema.type === "boolean") {
    const control = element("input", { type: "checkbox", checked: schema.default === true });
    return { control, read: () => control.checked };
  }
  if (schema.type === "integer" || schema.type === "number") {
    const step = schema.type === "integer" ? "1" : "any";
    const control = element("input", { type: "number", step, required, min: schema.minimum, max: schema.maximum, value: schema.default });
    return { control, read: () => (control.value === "" ? undefined : Number(control.value)) };
  }
  if (schema.type === "string") {
    const control = element("input", { type: "text", required, maxlength: schema.maxLength, value: schema.default });
    return { control, read: () => (control.value === "" && !required ? undefined : control.value) };
  }
  if (schema.type === "array" && !schema.prefixItems && resolved(schema.items, root).type === "string") return lines(schema, required);
  const control = element("textarea", { rows: "3", required, placeholder: "JSON", spellcheck: "false" });
  return { control, read: () => parsed(control.value, title) };
}

function choice(values, required) {
  const control = element("select", { required }, required ? null : element("option", { value: "" }, "–"),
    ...values.map((value, index) => element("option", { value: String(index) }, label(value))));
  return { control, read: () => (control.value === "" ? undefined : values[Number(control.value)]) };
}

/** A list of texts: one of them per line. Where the list may be empty, so may the box. */
function lines({ minItems = 0, default: given = [] }, required) {
  const control = element("textarea", { rows: "3", required: required && minItems > 0, placeholder: "One per line" }, given.join("\n"));
  const read = () => control.value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return { control, read: () => (control.value.trim() === "" && !required ? undefined : read()) };
}

function parsed(text, title) {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`“${title}” must be JSON, such as {"a": 1}.`);
  }
}

/** What a reference within the schema refers to. The server takes no other, and none that goes round. */
function resolved(part, root) {
  let found = part;
  while (typeof found?.$ref === "string") {
    const steps = found.$ref.slice(2).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    found = steps.reduce((inner, step) => inner?.[step], root);
  }
  return found ?? {};
}

/** `anyOf: [something, null]` is something that may be left empty. */
function withoutNull(schema, root) {
  const others = schema.anyOf?.map((each) => resolved(each, root)).filter(({ type }) => type !== "null");
  return others?.length === 1 && schema.anyOf.length === 2 ? { schema: others[0], optional: true } : { schema, optional: false };
}
