// The observer's frame: who looks, where they are, and the view.

import { type Session, HttpApi } from "./api.js";
import { $, ApiError, put, type Role } from "./kit.js";
import { Router } from "./router.js";
import { openSearch } from "./search.js";

const ROLES: Readonly<Record<Role, string>> = { look: "may look", act: "may act" };

const api = new HttpApi();
let role: Role = "look";
const router = new Router(api, () => role);
openSearch(api);
api.onSignedOut = () => askForToken("Your session has ended: sign in again.");

function askForToken(problem = ""): void {
  router.leave();
  document.body.dataset["state"] = "signed-out";
  put($("sign-in-problem"), problem);
  $("sign-in-page").hidden = false;
  $("frame").hidden = true;
  $("token").focus();
}

function enter(session: Session): void {
  role = session.role;
  document.body.dataset["role"] = role;
  document.body.dataset["state"] = "signed-in";
  put($("role"), ROLES[role]);
  $("sign-in-page").hidden = true;
  $("frame").hidden = false;
  void router.show();
}

async function signIn(event: Event): Promise<void> {
  event.preventDefault();
  const box = $<HTMLInputElement>("token"), token = box.value.trim();
  box.value = "";
  try {
    if (!/^[\x20-\x7e]+$/.test(token)) throw new ApiError(0, "This cannot be a token: it has characters that no header may have.");
    enter(await api.signIn(token));
  } catch (error) {
    askForToken(wordsOf(error));
  }
}

function wordsOf(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  return error.status === 401 ? "The server does not know this token." : error.message;
}

async function signOut(): Promise<void> {
  try {
    await api.signOut();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) return askForToken(wordsOf(error));
  }
  askForToken();
}

$("sign-in").addEventListener("submit", (event) => void signIn(event));
$("sign-out").addEventListener("click", () => void signOut());
api.session().then(
  (session) => (session ? enter(session) : askForToken()),
  (error: unknown) => askForToken(wordsOf(error)),
);
