// Who the user is: a form for a token, and a question before a link signs in somebody else.

import { $, put } from "./dom.js";
import { canBeToken, type Names } from "./tokens.js";

/** A link would sign in another user, and may come from somebody else. Resolves to whether the user agrees. */
export function confirmUser({ now, then }: Names): Promise<boolean> {
  const dialog = $<HTMLDialogElement>("confirm-user");
  for (const name of dialog.querySelectorAll(".now")) name.textContent = now ?? "someone else";
  for (const name of dialog.querySelectorAll(".then")) name.textContent = then ?? "an unknown user";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { dialog.onclose = () => resolve(dialog.returnValue === "switch"); });
}

function complain(text: string): void {
  put($("token-problem"), text);
  $("token-problem").hidden = !text;
}

/** There is a token. */
export function endSignIn(): void {
  $("token-form").hidden = true;
  document.body.classList.remove("signs-in");
}

/** Ask until the text can be a token. The server decides whether it is valid. */
export function askForToken({ wasRefused }: { wasRefused: boolean }): Promise<string> {
  complain(wasRefused ? "That token was not accepted, or has expired." : "");
  document.body.classList.add("signs-in");
  $("token-form").hidden = false;
  $("token").focus();
  return new Promise((resolve) => {
    $("token-form").onsubmit = (event) => {
      event.preventDefault();
      const token = $<HTMLInputElement>("token").value.trim();
      $<HTMLInputElement>("token").value = "";
      if (!canBeToken(token)) return complain("This cannot be a token: it has characters that no token has. Copy it again, without quotation marks.");
      endSignIn();
      resolve(token);
    };
  });
}
