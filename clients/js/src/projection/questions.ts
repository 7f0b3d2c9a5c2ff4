// Questions as chat protocols have them: a call of a tool with this name, and where it is answered yes or no, an approval. Pure.

import type { EventData, JSON } from "../protocol/events.js";

export const QUESTION = "question";

export const CLOSED: Readonly<Record<EventData["input_closed"]["reason"], string>> = {
  expired: "The question has expired.",
  withdrawn: "The question was withdrawn.",
};

const YES: readonly JSON[] = [true, "yes", "Yes"], NO: readonly JSON[] = [false, "no", "No"];

export const isYes = (value: JSON): boolean => YES.includes(value);

/** The options of a question that is answered by yes or no. */
export function yesOrNo(options: readonly JSON[] | undefined): { readonly yes: JSON; readonly no: JSON } | undefined {
  const [yes, no] = [options?.find((each) => YES.includes(each)), options?.find((each) => NO.includes(each))];
  return options?.length === 2 && yes !== undefined && no !== undefined ? { yes, no } : undefined;
}
