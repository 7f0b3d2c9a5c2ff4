// Who the user is: a form for a token, and a question before a link signs in somebody else.

import { canBeToken } from "./tokens.js";

const $ = (id) => document.getElementById(id);

/** A link would sign in another user, and may come from somebody else. Resolves to whether the user agrees. */
export function confirmUser({ now, then }) {
  const dialog = $("confirm-user");
  for (const name of dialog.querySelectorAll(".now")) name.textContent = now ?? "someone else";
  for (const name of dialog.querySelectorAll(".then")) name.textContent = then ?? "an unknown user";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { dialog.onclose = () => resolve(dialog.returnValue === "switch"); });
}

/** Ask until the text can be a token. The server decides whether it is valid. */
export function askForToken({ refused }) {
  const complain = (text) => {
    $("token-problem").textContent = text;
    $("token-problem").hidden = !text;
  };
  complain(refused ? "That token was not accepted, or has expired." : "");
  document.body.classList.add("signs-in");
  document.querySelector(".connection").dataset.state = "closed";
  $("connection-text").textContent = "Not signed in";
  $("token-form").hidden = false;
  $("token").focus();
  return new Promise((resolve) => {
    $("token-form").onsubmit = (event) => {
      event.preventDefault();
      const token = $("token").value.trim();
      $("token").value = "";
      if (!canBeToken(token)) return complain("This cannot be a token: it has characters that no token has. Copy it again, without quotation marks.");
      $("token-form").hidden = true;
      document.body.classList.remove("signs-in");
      resolve(token);
    };
  });
}
