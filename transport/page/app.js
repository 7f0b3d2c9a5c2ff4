// The page: joins the protocol client, the conversation on screen and the box to ask in.

import { askWhy } from "./admission.js";
import { Client } from "./client.js";
import { Composer, WORKING } from "./composer.js";
import { Conversation } from "./conversation.js";
import { element } from "./dom.js";
import { Memory } from "./memory.js";
import { packTable, sampleTable } from "./table.js";
import { canBeToken, Tokens } from "./tokens.js";

const PAGE = 200; // events per history request: the server's limit
const PAGES = 15; // pages of history that are drawn at a time
const NEAR = 120; // px: this close to the newest, the view follows it
const UNDER_TOP = 72; // px of the bar at the top
const ASK_WHY_AFTER = 2; // attempts to connect that failed
const DISCONNECTED = 4509, NO_REASON = "disconnected by the service";
const NOT_GOING = 4502; // the answer to a cancel of a run that has ended, which is what the user wanted

const $ = (id) => document.getElementById(id);
const memory = new Memory(() => sessionStorage, "greenroom.");
const tokens = new Tokens(new Memory(() => localStorage, "greenroom."), { ask: askForToken, confirm: confirmUser, complain: (text) => composer.complain(text) });
const url = new URL("live", document.baseURI);
url.protocol = url.protocol.replace("http", "ws");
const client = new Client({ url, tokens: (how) => tokens.get(how), memory });
const conversation = new Conversation($("conversation"), (offsets) => client.displayed(offsets), (ask, value) => client.answer(ask, value));
const composer = new Composer({ onSend: send, onStop: stop, memory });

let caughtUp = false; // the thread's history is on screen
let pages = PAGES; // how far back
let ahead = null; // live events that wait while history is fetched
let edition = 0; // goes up when the conversation must be redrawn
let drawn = 0; // the edition on screen
let stopping = null; // the run that was asked to stop
let following = true; // the view moves on with what is new
let lastY = 0; // where it was

// ── events ──

client.addEventListener("events", ({ detail: { events } }) => {
  if (ahead) ahead.push(...events);
  else draw(events);
});

client.addEventListener("ready", async ({ detail: { resumed, redraw, asks = [] } }) => {
  welcome();
  // A page that is new opens the conversation in which an agent waits for its user.
  if (!caughtUp && !memory.get("thread") && asks.length) memory.set("thread", asks.at(-1).thread);
  if (redraw) outdate();
  if (!resumed || !caughtUp) await catchUp();
});

client.addEventListener("reset", ({ detail: { sameUser } }) => {
  const thread = sameUser ? memory.get("thread") : null;
  startOver();
  memory.set("thread", thread);
});

client.addEventListener("refused", ({ detail }) => composer.complain(`The server refused something: ${detail.message}`));

/** What is drawn, or being fetched, may no longer count: a journal was restored from a backup. */
function outdate() {
  edition += 1;
  if (ahead) ahead = [];
}

/** Fetch the thread's history, then what came meanwhile. Drawing twice is impossible: see `add`. */
async function catchUp() {
  if (ahead) return;
  ahead = [];
  try {
    const { events, more, of } = await latestOfNow();
    if (drawn !== of) conversation.clear();
    if (drawn !== of) drawUnanswered();
    drawn = of;
    draw(events);
    $("earlier").hidden = !more;
    caughtUp = true;
  } catch (error) {
    composer.complain(`The conversation so far could not be loaded: ${error.message}`);
  } finally {
    const late = ahead;
    ahead = null;
    draw(late);
  }
}

/** The thread's latest events, all of one edition. */
async function latestOfNow() {
  for (;;) {
    const of = edition;
    const found = await latest(memory.get("thread"));
    if (of === edition) return { ...found, of };
  }
}

/** The thread's latest events, up to `pages` pages; `more`: there are earlier ones. */
async function latest(thread) {
  const found = { events: [], more: false };
  for (let page = 0; thread && page < pages; page += 1) {
    const before = page ? { before: found.events[0].offset } : {};
    const { events, more } = await client.history({ thread, limit: PAGE, ...before });
    found.events.unshift(...events);
    found.more = more && events.length > 0;
    if (!found.more) break;
  }
  return found;
}

$("earlier").addEventListener("click", async () => {
  pages += PAGES;
  following = false;
  const below = document.documentElement.scrollHeight - scrollY;
  edition += 1; // redrawn, with earlier events before it
  await catchUp();
  moveTo(document.documentElement.scrollHeight - below);
});

function draw(events) {
  for (const event of events) if (isOurs(event) && conversation.add(event)) announce(event);
  refresh();
}

/** The end of the page, or the start of the latest answer when it is taller than the window. */
function newest() {
  if (conversation.isEmpty) return 0;
  const end = document.documentElement.scrollHeight - innerHeight;
  const start = conversation.answerTop;
  return Math.max(0, start === null ? end : Math.min(end, start + scrollY - UNDER_TOP));
}

/** Scrolling by the page is not the user's: by the time of its event, more may have come below. */
function moveTo(top) {
  scrollTo({ top });
  lastY = scrollY;
}

addEventListener("scroll", () => {
  if (scrollY >= newest() - NEAR) following = true;
  else if (scrollY < lastY) following = false;
  lastY = scrollY;
}, { passive: true });
new ResizeObserver(() => { if (following) moveTo(newest()); }).observe(document.querySelector("main"));

/** Of this thread; a new thread is learnt from our own words in it, which may outrun the reply. */
function isOurs(event) {
  const mine = event.kind === "user_said" && client.unanswered.some(({ id }) => id === event.data.say);
  if (!memory.get("thread") && mine) memory.set("thread", event.thread);
  return event.thread === memory.get("thread");
}

function announce({ kind, data }) {
  const words = {
    agent_started: "The agent is working.",
    tool_executing: `Running ${data?.tool_name}.`,
    input_requested: `The agent asks: ${data?.prompt}`,
    final_report: `Report: ${data?.report?.title ?? ""} ${data?.report?.summary ?? ""}`,
    agent_failed: "The agent failed.",
    agent_completed: data?.outcome === "cancelled" ? "Stopped." : null,
  }[kind];
  if (words) $("announcer").textContent = words;
}

function refresh() {
  const going = conversation.going;
  if (stopping !== going) stopping = null;
  const busy = going !== null || client.unanswered.length > 0;
  composer.show({ busy, canStop: going !== null, stopping: stopping !== null });
  $("welcome").hidden = !conversation.isEmpty;
  $("new-thread").hidden = conversation.isEmpty;
  offerNext(busy ? [] : conversation.questions);
}

// ── asking and stopping ──

function send(text, table) {
  const body = table ? { text, table } : text;
  conversation.addUnsent(client.say(body, memory.get("thread")), body);
  composer.complain(null);
  following = true;
  refresh();
  moveTo(newest());
}

client.addEventListener("answered", ({ detail: { id, error, thread } }) => {
  if (error) conversation.refuse(id, error.message);
  else if (!memory.get("thread")) memory.set("thread", thread);
  refresh();
});

function stop() {
  const run = conversation.going;
  if (run === null || stopping === run) return;
  stopping = run;
  refresh();
  client.cancel(run).catch((error) => {
    stopping = null;
    if (error.code !== NOT_GOING) composer.complain(`It could not be stopped: ${error.message}`);
    refresh();
  });
}

function startOver() {
  memory.set("thread", null);
  pages = PAGES;
  $("earlier").hidden = true;
  conversation.clear();
  composer.clear();
  refresh();
}

$("new-thread").addEventListener("click", () => {
  if (conversation.going !== null && stopping === null) // hidden, the button could not be used
    return composer.complain(WORKING);
  startOver();
  composer.focus();
});

$("sample").addEventListener("click", async () => {
  send("Total cost by service", await packTable("cloud-costs.csv", sampleTable()));
});

/** Buttons for the questions that the latest report offers. */
function offerNext(questions) {
  const offered = [...$("next").children].map(({ textContent }) => textContent);
  if (offered.join("\n") === questions.join("\n")) return;
  $("next").hidden = questions.length === 0;
  const button = (text) => element("li", {}, element("button", { type: "button", class: "quiet", onclick: () => send(text) }, text));
  $("next").replaceChildren(...questions.map(button));
}

// ── the connection, in words ──

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

client.addEventListener("status", ({ detail }) => {
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
  if (detail.state === "closed") explain(detail);
  else if (trouble === null) $("notice").hidden = true;
  if (detail.state === "waiting" && detail.failures >= ASK_WHY_AFTER) explainWaiting(detail);
  composer.online = detail.state === "live";
});

function explain({ code, reason, words }) {
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
async function explainWaiting(detail) {
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

/** A link would sign in another user, and may come from somebody else. Resolves to whether the user agrees. */
function confirmUser({ now, then }) {
  const dialog = $("confirm-user");
  for (const name of dialog.querySelectorAll(".now")) name.textContent = now ?? "someone else";
  for (const name of dialog.querySelectorAll(".then")) name.textContent = then ?? "an unknown user";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { dialog.onclose = () => resolve(dialog.returnValue === "switch"); });
}

/** Ask until the text can be a token. The server decides whether it is valid. */
function askForToken({ refused }) {
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
      composer.focus();
    };
  });
}

// ── start ──

function drawUnanswered() {
  for (const { id, body, thread } of client.unanswered) {
    conversation.addUnsent(id, body);
    if (thread) memory.set("thread", thread);
  }
}

/** Sample data is for the demo's agent; other agents say themselves what they can do. */
function welcome() { document.body.classList.toggle("is-demo", tokens.fromDemo); }

/** The address may change without a reload: by a link to this very page. */
addEventListener("hashchange", async () => {
  if (tokens.takeLink() && (await tokens.considerLink())) client.connect();
});

drawUnanswered();
welcome();
refresh();
composer.focus();
tokens.takeLink();
client.connect();
