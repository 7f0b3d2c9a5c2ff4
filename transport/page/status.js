// The connection in words: its state, and why the server refuses this page.

import { askWhy } from "./admission.js";

const ASK_WHY_AFTER = 2; // attempts to connect that failed
const DISCONNECTED = 4509, NO_REASON = "disconnected by the service";

const $ = (id) => document.getElementById(id);

const CLOSED = {
  1009: ["This page sent a message that is larger than the server takes, and was disconnected.", "Connect"],
  4500: ["Your token was not accepted or has expired.", "Use another token"],
  4503: ["You are signed in as someone else now.", "Start again"],
  4506: ["Too many tabs are open for you. Close one, then connect again.", "Connect"],
  4507: ["This page sent too much at once and was disconnected.", "Connect"],
};
let countdown = null;
let shown = null; // the latest status
let trouble = null; // why the server refuses this page, in its words; shown until it accepts

/** Show each status of the client, and why it is not live, with what the user can do about it. */
export function showStatus(client, tokens) {
  client.addEventListener("status", ({ detail }) => show(detail, client, tokens));
}

function show(detail, client, tokens) {
  clearInterval(countdown);
  shown = detail;
  const pill = document.querySelector(".connection");
  pill.dataset.state = detail.state;
  const say = (text) => { if ($("connection-text").textContent !== text) $("connection-text").textContent = text; };
  if (detail.state === "live") say("Live");
  if (detail.state === "connecting") say("Connecting…");
  if (detail.state === "offline") say("Offline");
  if (detail.state === "waiting") {
    const left = () => Math.max(0, Math.ceil((detail.retryAt - Date.now()) / 1_000));
    say(`Reconnecting in ${left()} s`);
    countdown = setInterval(() => say(`Reconnecting in ${left()} s`), 500);
  }
  if (detail.state === "live" || detail.state === "closed") trouble = null;
  if (detail.state === "closed") say("Disconnected");
  if (detail.state === "closed") explain(detail, client, tokens);
  else if (trouble === null) $("notice").hidden = true;
  if (detail.state === "waiting" && detail.failures >= ASK_WHY_AFTER) explainWaiting(detail, client, tokens);
}

function explain({ code, reason, words }, client, tokens) {
  const [text, action] = words ? [words, "Try again"] : code === DISCONNECTED ? thrownOut(reason) : CLOSED[code] ?? [`The server closed the connection: ${reason || "no reason given"} (${code}).`, "Connect again"];
  notify(text, action, () => {
    tokens.rejected = code === 4500;
    client.connect({ fresh: code === 4503 });
  });
}

function thrownOut(reason) {
  const why = reason && reason !== NO_REASON ? `: ${reason}` : ".";
  return [`The service has disconnected you${why}`, "Connect again"];
}

/** A browser hides why an upgrade was refused, so ask. The page retries meanwhile if waiting may help. */
async function explainWaiting(detail, client, tokens) {
  const why = await askWhy(tokens.kept);
  if (shown !== detail) return;
  trouble = why?.words ?? null;
  if (why?.isFinal) client.stop({ words: why.words });
  else if (why) notify(why.words, "Try now", () => client.connect());
  else $("notice").hidden = true;
}

function notify(text, action, act) {
  if ($("notice-text").textContent !== text) $("notice-text").textContent = text;
  $("notice-button").textContent = action;
  $("notice-button").onclick = () => {
    $("notice").hidden = true;
    act();
  };
  $("notice").hidden = false;
}
