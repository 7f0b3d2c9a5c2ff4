// Frames of a server, as tests need them.

import type { GreenroomEvent, Kind, EventData } from "../src/protocol/events.js";
import type { Ready, ServerFrame } from "../src/protocol/frames.js";

export const RUN = "run_01kbx3m9sebmv8t2v9w0c4d5e6";
export const THREAD = "thread_01kbx3m9sebmv8t2v9w0c4d5e6";

export const READY: Ready = {
  type: "ready", session: "sess_01kbx3m9sebmv8t2v9w0c4d5e6", connection: "conn_01kbx3m9sebmv8t2v9w0c4d5e6", user: "alice",
  epoch: "first", offset: 0, from: 0, recovered: false, heartbeat: 25_000, max_frame_bytes: 65_536, frames_per_second: 50,
  frames_burst: 100, features: ["position", "large", "threads", "asks"], asks: [],
};

export const RESUMED: Ready = { ...READY, recovered: true };

export const event = <K extends Kind>(offset: number, kind: K, data: EventData[K]): GreenroomEvent =>
  ({ offset, kind, data, id: `evt_${offset}`, class: "progress", thread: THREAD, run: RUN, request: "req_1", at: 0 }) as unknown as GreenroomEvent;

export const partial = (offset: number, text: string): GreenroomEvent => event(offset, "partial_result", { text, index: offset });

export const eventsFrame = (...events: GreenroomEvent[]): ServerFrame => ({ type: "events", epoch: "first", events });
