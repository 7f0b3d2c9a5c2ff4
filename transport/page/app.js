// The page: joins the protocol client, the list of conversations, the one on screen and the box to ask in.

import { Client } from "./client.js";
import { Composer, WORKING } from "./composer.js";
import { Conversation } from "./conversation.js";
import { element } from "./dom.js";
import { Memory } from "./memory.js";
import { askForToken, confirmUser } from "./sign_in.js";
import { showStatus } from "./status.js";
import { packTable, sampleTable } from "./table.js";
import { ThreadList } from "./thread_list.js";
import { Threads } from "./threads.js";
import { Tokens } from "./tokens.js";

const PAGE = 200; // events per history request: the server's limit
const PAGES = 15; // pages of history that are drawn at a time
const NEAR = 120; // px: this close to the newest, the view follows it
const UNDER_TOP = 72; // px of the bar at the top
const RELISTS = new Set(["user_said", "agent_completed", "agent_failed", "input_requested", "input_answered", "input_closed"]);
const GONE = "This conversation is no longer kept: it was erased, or is older than what the server keeps.";
const ERASED = "This conversation was erased, in another tab or by the service.";
const NOT_GOING = 4502; // the answer to a cancel of a run that has ended, which is what the user wanted

const $ = (id) => document.getElementById(id);
const memory = new Memory(() => sessionStorage, "greenroom.");
const tokens = new Tokens(new Memory(() => localStorage, "greenroom."), { ask: signIn, confirm: confirmUser, complain: (text) => composer.complain(text) });
const url = new URL("live", document.baseURI);
url.protocol = url.protocol.replace("http", "ws");
const client = new Client({ url, tokens: (how) => tokens.get(how), memory });
const conversation = new Conversation($("conversation"), (offsets) => client.displayed(offsets), (ask, value) => client.answer(ask, value));
const composer = new Composer({ onSend: send, onStop: stop, memory });
const threads = new Threads(client, () => showThreads());
const list = new ThreadList({ threads, onOpen: openThread, onErased: (thread) => { if (thread === memory.get("thread")) leave(null); }, say });

let caughtUp = false; // the thread's history is on screen
let pages = PAGES; // how far back
let ahead = null; // live events that wait while history is fetched
let edition = 0; // goes up when the conversation must be redrawn
let drawn = 0; // the edition on screen
let stopping = null; // the run that was asked to stop
let begun = new Set(); // what was said in the conversation on screen while it had no thread yet
let listed = false; // the server lists threads
let following = true; // the view moves on with what is new
let lastY = 0; // where it was

// ── events ──

client.addEventListener("events", ({ detail: { events } }) => {
  if (ahead) ahead.push(...events);
  else draw(events);
  if (events.some(({ kind }) => RELISTS.has(kind))) relist();
});

client.addEventListener("ready", async ({ detail: { resumed, redraw, features, asks = [] } }) => {
  welcome();
  // A page that is new opens the conversation in which an agent waits for its user.
  if (!caughtUp && !memory.get("thread") && asks.length) turnTo(asks.at(-1).thread);
  if (redraw) outdate();
  listed = features.includes("threads");
  relist();
  if (!resumed || !caughtUp) await catchUp();
  else await lookWhetherKept();
});

client.addEventListener("reset", ({ detail: { sameUser } }) => {
  const thread = sameUser ? memory.get("thread") : null;
  startOver();
  threads.show({ archived: false });
  turnTo(thread);
});

client.addEventListener("erased", ({ detail: { thread } }) => {
  if (threads.isErasing(thread)) return; // its reply comes
  threads.drop(thread);
  if (thread === memory.get("thread")) leave(ERASED);
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
    caughtUp = true;
    draw(events);
    $("earlier").hidden = !more;
    if (memory.get("thread") && !events.length && !hasUnanswered()) leave(GONE);
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
  const mine = event.kind === "user_said" && begun.has(event.data.say);
  if (!memory.get("thread") && mine) turnTo(event.thread);
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
  const busy = going !== null || hasUnanswered();
  composer.show({ busy, canStop: going !== null, stopping: stopping !== null, isAsking: conversation.isAsking });
  const isLoading = memory.get("thread") !== null && !caughtUp && conversation.isEmpty;
  $("welcome").hidden = isLoading || !conversation.isEmpty;
  $("loading").hidden = !isLoading;
  $("new-thread").hidden = conversation.isEmpty && !isLoading;
  offerNext(busy ? [] : conversation.questions);
}

// ── asking and stopping ──

function send(text, table) {
  const body = table ? { text, table } : text;
  const say = client.say(body, memory.get("thread"));
  if (!memory.get("thread")) begun.add(say);
  conversation.addUnsent(say, body);
  composer.complain(null);
  following = true;
  refresh();
  moveTo(newest());
}

client.addEventListener("answered", ({ detail: { id, error, thread } }) => {
  if (error) conversation.refuse(id, error.message);
  else if (!memory.get("thread") && begun.has(id)) turnTo(thread);
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
  switchTo(null);
  composer.clear();
}

$("new-thread").addEventListener("click", () => {
  if (conversation.going !== null && stopping === null && !listed) // the run could not be found again
    return composer.complain(WORKING);
  startOver();
  composer.focus();
});

// ── one conversation of several ──

/** The conversation on screen has, or is to have, this thread. */
function turnTo(thread) {
  memory.set("thread", thread);
  showThreads();
}

/** Begin with an empty screen; `catchUp` draws the thread. */
function switchTo(thread) {
  turnTo(thread);
  begun = new Set();
  [pages, caughtUp, following] = [PAGES, thread === null, true];
  outdate();
  $("earlier").hidden = true;
  conversation.clear();
  composer.complain(null);
  refresh();
}

async function openThread(thread) {
  const title = threads.get(thread)?.title;
  list.close();
  if (thread !== memory.get("thread")) {
    switchTo(thread);
    drawUnanswered();
    await catchUp();
    if (thread === memory.get("thread") && title) say(`Opened: ${title}`);
  }
  if (!list.isDrawer) composer.focus();
}

/** The conversation on screen is no more. */
function leave(why) {
  switchTo(null);
  composer.complain(why);
}

/** It may have been erased while this tab was away. */
async function lookWhetherKept() {
  const thread = memory.get("thread");
  if (!thread || hasUnanswered()) return;
  const found = await client.history({ thread, limit: 1 }).catch(() => null); // looked for again at the next connect
  if (found?.events.length === 0 && thread === memory.get("thread") && !hasUnanswered()) leave(GONE);
}

/** Ask for the list again; a hidden tab does so once it is looked at. */
function relist() {
  if (listed && !document.hidden) threads.refresh();
}
document.addEventListener("visibilitychange", relist);
addEventListener("focus", relist);

function showThreads() {
  const title = threads.get(memory.get("thread"))?.title;
  document.title = title ? `${title} · greenroom` : "greenroom";
  list.show(memory.get("thread"));
}

/** In words, for who cannot see it. */
function say(words) { $("announcer").textContent = words; }

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

// ── start ──

/** What was said in the conversation on screen and not answered; in a new one, what was said without a thread. */
function unanswered() {
  const here = memory.get("thread");
  return client.unanswered.filter(({ id, thread }) => (thread ? thread === here : begun.has(id)));
}
function hasUnanswered() { return unanswered().length > 0; }
function drawUnanswered() {
  for (const { id, body } of unanswered()) conversation.addUnsent(id, body);
}

/** What an earlier page of this tab said without a thread, or in one that it did not learn of in time, is said here. */
function takeUpUnanswered() {
  for (const { id, thread } of client.unanswered) {
    if (thread) memory.set("thread", thread);
    else begun.add(id);
  }
  drawUnanswered();
}

async function signIn(how) {
  const token = await askForToken(how);
  composer.focus();
  return token;
}

/** Sample data is for the demo's agent; other agents say themselves what they can do. */
function welcome() { document.body.classList.toggle("is-demo", tokens.fromDemo); }

/** The address may change without a reload: by a link to this very page. */
addEventListener("hashchange", async () => {
  if (tokens.takeLink() && (await tokens.considerLink())) client.connect();
});

showStatus(client, tokens);
takeUpUnanswered();
turnTo(memory.get("thread"));
welcome();
refresh();
composer.focus();
tokens.takeLink();
client.connect();
