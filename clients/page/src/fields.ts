// A JSON Schema as the fields of a small form.

import type { JSON as Json } from "greenroom";
import { element } from "./dom.js";

/** The part of JSON Schema that has a field of its own; a box for JSON takes the rest. */
interface Schema {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly items?: Schema;
  readonly prefixItems?: unknown;
  readonly minItems?: number;
}

type Value = Json | undefined;

export interface Field {
  readonly name: string | null;
  readonly row: HTMLElement;
  /** The value, or undefined for one that is left out. */
  read(): Value;
}

interface Control {
  readonly control: HTMLElement;
  read(): Value;
}

export const labelOf = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));
const titled = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
const plain = (value: unknown): string | number | undefined => (typeof value === "string" || typeof value === "number" ? value : undefined);

/** An object has a field for each of its properties; any other value is one field. */
export function fieldsOf(given: Json | undefined): Field[] {
  const root = (given ?? { type: "string" }) as Schema;
  const schema = resolved(root, root);
  if (schema.type !== "object" || !schema.properties) return [field(null, schema, true, root)];
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).map(([name, part]) => field(name, part, required.has(name), root));
}

export function valueOf(fields: readonly Field[]): Json {
  const [only] = fields;
  if (only && fields.length === 1 && only.name === null) return only.read() as Json;
  const entries = fields.map(({ name, read }) => [name, read()] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

function field(name: string | null, part: Schema, required: boolean, root: Schema): Field {
  const { schema, optional } = withoutNull(resolved(part, root), root);
  const must = required && !optional;
  const title = schema.title ?? (name === null ? "Your answer" : titled(name));
  const { control, read } = controlFor(schema, must, title, root);
  const text = element("span", {}, title, must ? null : element("small", {}, " (optional)"));
  const row = element("label", { class: schema.type === "boolean" ? "check" : null }, text, control);
  if (schema.description) row.append(element("small", {}, schema.description));
  return { name, row, read: () => (optional && required ? read() ?? null : read()) };
}

function controlFor(schema: Schema, required: boolean, title: string, root: Schema): Control {
  if (Array.isArray(schema.enum)) return choice(schema.enum, required);
  switch (schema.type) {
    case "boolean": return check(schema);
    case "integer": case "number": return number(schema, required);
    case "string": return line(schema, required);
  }
  if (isListOfTexts(schema, root)) return lines(schema, required);
  const control = element("textarea", { rows: "3", required, placeholder: "JSON", spellcheck: "false" });
  return { control, read: () => parsed(control.value, title) };
}

function check(schema: Schema): Control {
  const control = element("input", { type: "checkbox", checked: schema.default === true });
  return { control, read: () => control.checked };
}

function number(schema: Schema, required: boolean): Control {
  const step = schema.type === "integer" ? "1" : "any";
  const control = element("input", { type: "number", step, required, min: schema.minimum, max: schema.maximum, value: plain(schema.default) });
  return { control, read: () => (control.value === "" ? undefined : Number(control.value)) };
}

function line(schema: Schema, required: boolean): Control {
  const control = element("input", { type: "text", required, maxlength: schema.maxLength, value: plain(schema.default) });
  return { control, read: () => (control.value === "" && !required ? undefined : control.value) };
}

function choice(values: readonly Json[], required: boolean): Control {
  const control = element("select", { required }, required ? null : element("option", { value: "" }, "–"),
    ...values.map((value, index) => element("option", { value: String(index) }, labelOf(value))));
  return { control, read: () => (control.value === "" ? undefined : values[Number(control.value)]) };
}

const isListOfTexts = ({ type, items, prefixItems }: Schema, root: Schema): boolean =>
  type === "array" && !prefixItems && items !== undefined && resolved(items, root).type === "string";

/** A list of texts: one of them per line. Where the list may be empty, so may the box. */
function lines({ minItems = 0, default: given }: Schema, required: boolean): Control {
  const texts = Array.isArray(given) ? given.join("\n") : "";
  const control = element("textarea", { rows: "3", required: required && minItems > 0, placeholder: "One per line" }, texts);
  const read = () => control.value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return { control, read: () => (control.value.trim() === "" && !required ? undefined : read()) };
}

function parsed(text: string, title: string): Value {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`“${title}” must be JSON, such as {"a": 1}.`);
  }
}

/** What a reference within the schema refers to. The server takes no other, and none that goes round. */
function resolved(part: Schema, root: Schema): Schema {
  let found: Schema | undefined = part;
  while (typeof found?.$ref === "string") found = lookUp(found.$ref, root);
  return found ?? {};
}

function lookUp(ref: string, root: Schema): Schema | undefined {
  const steps = ref.slice(2).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce<unknown>((inner, step) => (inner as Readonly<Record<string, unknown>> | undefined)?.[step], root) as Schema | undefined;
}

/** `anyOf: [something, null]` is something that may be left empty. */
function withoutNull(schema: Schema, root: Schema): { schema: Schema; optional: boolean } {
  const others = schema.anyOf?.map((each) => resolved(each, root)).filter(({ type }) => type !== "null");
  const [only] = others ?? [];
  return only && others?.length === 1 && schema.anyOf?.length === 2 ? { schema: only, optional: true } : { schema, optional: false };
}
