// Questions as interrupts of AG-UI 1, and what resumes them as answers. Pure.

import type { Interrupt, ResumeEntry } from "@ag-ui/client";
import { yesOrNo } from "../projection/questions.js";
import type { GreenroomEvent, JSON } from "../protocol/events.js";

type Question = GreenroomEvent<"input_requested">;

export function interruptOf({ run, data: { ask, prompt, options, schema, expires } }: Question, root: string): Interrupt {
  const responseSchema = (schema ?? (options && { enum: options })) as Interrupt["responseSchema"];
  return {
    id: ask,
    reason: yesOrNo(options) ? "confirmation" : "input_required",
    message: prompt,
    metadata: { greenroom: { run: root, ...(options && { options }) } },
    ...(responseSchema && { responseSchema }),
    ...(expires !== undefined && { expiresAt: new Date(expires).toISOString() }),
    ...(run !== root && { subagentRunId: run }),
  };
}

/** The value with which a question is answered; undefined where it is refused, and no is not among its answers. */
export function answerOf({ status, payload }: ResumeEntry, question: Question | undefined): JSON | undefined {
  const choice = yesOrNo(question?.data.options);
  if (status === "cancelled") return choice?.no;
  const isApproved = typeof payload === "object" && payload !== null && "approved" in payload ? payload.approved : payload;
  return choice && typeof isApproved === "boolean" ? (isApproved ? choice.yes : choice.no) : payload;
}
