import type { Failure } from "./protocol/frames.js";

/** What a client's methods fail with. `code` is a close code (docs/protocol.md, "Close codes"); `temporary` says whether the same
 *  call may succeed later. */
export class GreenroomError extends Error implements Failure {
  declare readonly code: number;
  declare readonly temporary: boolean;

  constructor({ code, message, temporary }: Failure) {
    super(message);
    Object.assign(this, { name: "GreenroomError", code, temporary });
  }
}
