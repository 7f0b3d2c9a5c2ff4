// Who is signed in, and the way out.

import type { Client } from "greenroom";
import { $, put } from "./dom.js";

/** mayLeave: not where the user signed in elsewhere, by a cookie of a service, or got a token of the demo. */
export function showUser({ user }: Client, mayLeave: boolean): void {
  put($("user"), user ?? "");
  put($("user-name"), user ?? "");
  $("open-user").hidden = !user;
  $("sign-out").hidden = !mayLeave;
}
