// What happens, in words, for users who cannot see it.

import type { GreenroomEvent } from "greenroom";
import { $, isObject } from "./dom.js";

export function say(words: string): void { $("announcer").textContent = words; }

export function announce(event: GreenroomEvent): void {
  const words = wordsFor(event);
  if (words) say(words);
}

function wordsFor({ kind, data }: GreenroomEvent): string | null {
  switch (kind) {
    case "agent_started": return "The agent is working.";
    case "tool_executing": return `Running ${data.tool_name}.`;
    case "input_requested": return `The agent asks: ${data.prompt}`;
    case "final_report": return isObject(data.report) ? `Report: ${data.report["title"] ?? ""} ${data.report["summary"] ?? ""}` : "Report.";
    case "agent_failed": return "The agent failed.";
    case "agent_completed": return data.outcome === "cancelled" ? "Stopped." : null;
    default: return null;
  }
}
