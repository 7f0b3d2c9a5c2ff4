import type { Failure } from "./protocol/frames.js";

/** What a client's methods fail with. `code` is a close code (docs/protocol.md, "Close codes"); `temporary` says whether the same
 *  call may succeed later. */
export class GreenroomError extends Error implements Failure {
  readonly code: number;
  readonly temporary: boolean;

  constructor({ code, message, temporary }: Failure) {
    super(message);
    this.name = "GreenroomError";
    this.code = code;
    this.temporary = temporary;
  }
}
