// The page: joins the protocol client, the list of conversations, the one on screen and the box to ask in.

import { Client, type GreenroomEvent, type SentFile } from "greenroom";
import { announce, say } from "./announcing.js";
import { Composer, WORKING } from "./composer.js";
import { Conversation, type Spoken } from "./conversation.js";
import { Delivery } from "./delivery.js";
import { $, element, randomId } from "./dom.js";
import { keepFocus } from "./focus_keeper.js";
import { Following } from "./following.js";
import { type Latest, latest, PAGES } from "./history.js";
import { Memory } from "./memory.js";
import { BreakableSocket, Plug } from "./plug.js";
import { askForToken, confirmUser, endSignIn } from "./sign_in.js";
import { Status } from "./status.js";
import { tabLocks } from "./tab_locks.js";
import { packTable, sampleTable, type Table } from "./table.js";
import { ThreadList } from "./thread_list.js";
import { Threads, wordsOf } from "./threads.js";
import { Tokens } from "./tokens.js";
import { showUser } from "./user_menu.js";
import { Wire } from "./wire.js";

const RELISTS = new Set(["user_said", "agent_completed", "agent_failed", "input_requested", "input_answered", "input_closed"]);
const GONE = "This conversation is no longer kept: it was erased, or is older than what the server keeps.";
const ERASED = "This conversation was erased, in another tab or by the service.";
const NOT_GOING = 4502; // the answer to a cancel of a run that has ended, which is what the user wanted

const memory = new Memory(() => sessionStorage, "greenroom.");
const tokens = new Tokens(new Memory(() => localStorage, "greenroom."), { confirm: confirmUser, complain: (words) => composer.complain(words) });
const client = new Client({
  url: new URL("live", document.baseURI),
  getToken: ({ reason }) => tokens.get(reason),
  locks: tabLocks(),
  WebSocket: BreakableSocket,
});
const conversation = new Conversation($("conversation"), {
  onShown: (events) => client.displayed(...events),
  answer: (ask, value) => client.answer(ask, value),
  again: (said) => sayAgain(said),
  delivery: new Delivery(client),
});
const composer = new Composer(memory, { onSend: send, onStop: stop, files: client });
const threads = new Threads(client, () => showThreads());
const list = new ThreadList(threads, { onOpen: (thread) => void openThread(thread), onErased: (thread) => { if (thread === current()) leave(null); }, say });
const following = new Following(conversation);

let caughtUp = false; // the thread's history is on screen
let pages = PAGES; // how far back
let ahead: GreenroomEvent[] | null = null; // live events that wait while history is fetched
let edition = 0; // goes up when the conversation must be redrawn
let drawn = 0; // the edition on screen
let stopping: string | null = null; // the run that was asked to stop
let begun = new Set<string>(); // what was said in the conversation on screen while it had no thread yet

/** The thread on screen, which a new conversation has not. */
function current(): string | null { return memory.text("thread"); }

// ── events ──

client.on("events", (events) => {
  if (ahead) ahead.push(...events);
  else draw(events);
  if (events.some(({ kind }) => RELISTS.has(kind))) relist();
});

client.on("state", ({ newState }) => {
  if (newState !== "closed") endSignIn(); // also when a link brought the token
  if (newState === "ready") void becameReady();
});

async function becameReady(): Promise<void> {
  welcome();
  memory.set("user", client.user ?? null);
  const asked = client.asks.at(-1);
  // A page that is new opens the conversation in which an agent waits for its user.
  if (!caughtUp && !current() && asked) turnTo(asked.thread);
  relist();
  if (caughtUp) await lookWhetherKept();
  else await catchUp();
}

client.on("reset", ({ isOther }) => {
  if (!isOther) return outdate();
  const isSameUser = client.user === undefined || memory.get("user") === client.user;
  const thread = isSameUser ? current() : null;
  switchTo(null);
  if (!isSameUser) composer.clear();
  threads.show({ archived: false });
  turnTo(thread);
  caughtUp = false;
});

client.on("erased", ({ thread }) => {
  if (threads.isErasing(thread)) return; // its reply comes
  threads.drop(thread);
  if (thread === current()) leave(ERASED);
});

client.on("error", ({ message }) => composer.complain(`The server refused something: ${message}`));

/** What is drawn, or being fetched, may no longer count: a journal was restored from a backup. */
function outdate(): void {
  edition += 1;
  caughtUp = false;
  if (ahead) ahead = [];
}

/** Fetch the thread's history, then what came meanwhile. Drawing twice is impossible: see `Conversation.add`. */
async function catchUp(): Promise<void> {
  if (ahead) return;
  ahead = [];
  try {
    show(await latestOfNow());
  } catch (error) {
    // A closed client catches up once it is connected.
    if (client.state !== "closed") composer.complain(`The conversation so far could not be loaded: ${wordsOf(error)}`);
  } finally {
    const late: GreenroomEvent[] = ahead ?? [];
    ahead = null;
    draw(late);
  }
}

function show({ events, more, of }: Latest & { of: number }): void {
  if (drawn !== of) conversation.clear();
  if (drawn !== of) drawUnanswered();
  drawn = of;
  caughtUp = true;
  draw(events);
  conversation.drawNow();
  $("earlier").hidden = !more;
  if (current() && !events.length && !hasUnanswered()) leave(GONE);
}

/** The thread's latest events, all of one edition. */
async function latestOfNow(): Promise<Latest & { of: number }> {
  for (;;) {
    const of = edition;
    const found = await latest(client, current(), pages);
    if (of === edition) return { ...found, of };
  }
}

$("earlier").addEventListener("click", async () => {
  pages += PAGES;
  following.is = false;
  const below = document.documentElement.scrollHeight - scrollY;
  outdate(); // redrawn, with earlier events before it
  await catchUp();
  following.moveTo(document.documentElement.scrollHeight - below);
});

function draw(events: readonly GreenroomEvent[]): void {
  for (const event of events) if (isOurs(event) && conversation.add(event)) announce(event);
  refresh();
}

/** Of this thread; a new thread is learnt from our own words in it, which may outrun the reply. */
function isOurs(event: GreenroomEvent): boolean {
  const isMine = event.kind === "user_said" && begun.has(event.data.say);
  if (!current() && isMine) turnTo(event.thread);
  return event.thread === current();
}

function refresh(): void {
  const { going } = conversation;
  if (stopping !== going) stopping = null;
  const busy = going !== null || hasUnanswered();
  composer.show({ busy, canStop: going !== null, stopping: stopping !== null, isAsking: conversation.isAsking });
  const isLoading = current() !== null && !caughtUp && conversation.isEmpty;
  $("welcome").hidden = isLoading || !conversation.isEmpty;
  $("loading").hidden = !isLoading;
  $("new-thread").hidden = conversation.isEmpty && !isLoading;
  offerNext(busy ? [] : conversation.questions);
}

// ── asking and stopping ──

function send(text: string, table: Table | null = null, files: readonly SentFile[] = []): void {
  speak({ body: table ? { text, table } : text, files: files.length ? files : undefined });
}

/** What failed, once more. */
function sayAgain(said: Spoken): void {
  if (conversation.going !== null || hasUnanswered()) return composer.complain(WORKING);
  speak(said);
  composer.focus();
}

function speak({ body, files }: Spoken): void {
  const id = randomId(), thread = current();
  const refusals: string[] = [];
  const end = client.on("refused", (each) => each.id === id && refusals.push(each.error.message));
  void client.say(body, { id, thread: thread ?? undefined, files }).catch(() => {}); // `refused` says why
  end();
  const [refusal] = refusals; // at once: it is larger than the server takes
  if (refusal) throw new RangeError(`${refusal.charAt(0).toUpperCase()}${refusal.slice(1)}.`);
  if (!thread) begun.add(id);
  conversation.addUnsent(id, { body, files });
  composer.complain(null);
  following.is = true;
  refresh();
  following.moveTo(following.newest);
}

client.on("said", ({ id, thread }) => {
  if (!current() && begun.has(id)) turnTo(thread);
  refresh();
});

client.on("refused", ({ id, error }) => {
  conversation.refuse(id, error.message);
  refresh();
});

function stop(): void {
  const run = conversation.going;
  if (run === null || stopping === run) return;
  stopping = run;
  refresh();
  client.cancel(run).catch((error) => {
    stopping = null;
    if (error.code !== NOT_GOING) composer.complain(`It could not be stopped: ${wordsOf(error)}`);
    refresh();
  });
}

$("new-thread").addEventListener("click", () => {
  if (conversation.going !== null && stopping === null && !isListed()) // the run could not be found again
    return composer.complain(WORKING);
  switchTo(null);
  composer.clear();
  composer.focus();
});

// ── one conversation of several ──

function isListed(): boolean { return client.features.includes("threads"); }

/** The conversation on screen has, or is to have, this thread. */
function turnTo(thread: string | null): void {
  memory.set("thread", thread);
  showThreads();
}

/** Begin with an empty screen; `catchUp` draws the thread. */
function switchTo(thread: string | null): void {
  turnTo(thread);
  begun = new Set();
  outdate();
  [pages, caughtUp, following.is] = [PAGES, thread === null, true];
  $("earlier").hidden = true;
  conversation.clear();
  composer.complain(null);
  refresh();
}

async function openThread(thread: string): Promise<void> {
  const title = threads.get(thread)?.title;
  list.close();
  if (thread !== current()) {
    switchTo(thread);
    drawUnanswered();
    await catchUp();
    if (thread === current() && title) say(`Opened: ${title}`);
  }
  if (!list.isDrawer) composer.focus();
}

/** The conversation on screen is no more. */
function leave(why: string | null): void {
  switchTo(null);
  composer.complain(why);
}

/** It may have been erased while this tab was away. */
async function lookWhetherKept(): Promise<void> {
  const thread = current();
  if (!thread || hasUnanswered()) return;
  const found = await client.history({ thread, limit: 1 }).catch(() => null); // looked for again at the next connect
  if (found?.events.length === 0 && thread === current() && !hasUnanswered()) leave(GONE);
}

/** Ask for the list again; a hidden tab does so once it is looked at. */
function relist(): void {
  if (isListed() && !document.hidden) threads.refresh();
}
document.addEventListener("visibilitychange", relist);
addEventListener("focus", relist);

function showThreads(): void {
  const title = threads.get(current())?.title;
  document.title = title ? `${title} · greenroom` : "greenroom";
  list.show(current());
}

async function trySample(question: string): Promise<void> {
  send(question, await packTable("cloud-costs.csv", sampleTable()));
  composer.focus(); // the button under the user's focus goes away
}
$("sample").addEventListener("click", () => void trySample("Total cost by service"));
for (const button of $("examples").querySelectorAll("button")) button.addEventListener("click", () => void trySample(button.textContent));

/** The button under the user's focus goes away. */
function ask(text: string): void {
  send(text);
  composer.focus();
}

/** Buttons for the questions that the latest report offers. */
function offerNext(questions: readonly string[]): void {
  const offered = [...$("next").children].map(({ textContent }) => textContent);
  if (offered.join("\n") === questions.join("\n")) return;
  $("next").hidden = questions.length === 0;
  const button = (text: string) => element("li", {}, element("button", { type: "button", class: "quiet", onclick: () => ask(text) }, text));
  $("next").replaceChildren(...questions.map(button));
}

// ── start ──

/** What was said in the conversation on screen and not answered; in a new one, what was said without a thread. */
function unanswered() {
  const here = current();
  return client.unanswered.filter(({ id, thread }) => (thread ? thread === here : begun.has(id)));
}
function hasUnanswered(): boolean { return unanswered().length > 0; }
function drawUnanswered(): void {
  for (const { id, ...said } of unanswered()) conversation.addUnsent(id, said);
}

/** What an earlier page of this tab said without a thread, or in one that it did not learn of in time, is said here. */
function takeUpUnanswered(): void {
  for (const { id, thread } of client.unanswered) {
    if (thread) memory.set("thread", thread);
    else begun.add(id);
  }
  drawUnanswered();
}

async function signIn(): Promise<void> {
  const token = await askForToken(tokens.needed ?? { wasRefused: false });
  composer.focus();
  tokens.keep(token);
  client.connect();
}

/** Sample data is for the demo's agent; other agents say themselves what they can do. */
function welcome(): void {
  document.body.classList.toggle("is-demo", tokens.fromDemo);
  $("kill-server").hidden = !tokens.canKill;
  showUser(client, tokens.kept !== null && !tokens.fromDemo);
}

$("sign-out").addEventListener("click", () => {
  $("user-menu").hidePopover();
  tokens.signOut();
  switchTo(null);
  composer.clear();
  threads.show({ archived: false });
  client.connect(); // without a token it asks for one
});

/** The address may change without a reload: by a link to this very page. */
addEventListener("hashchange", async () => {
  if (tokens.takeLink() && (await tokens.considerLink())) client.connect();
});

new Status(client, tokens, () => void signIn());
keepFocus(() => composer.focus());
new Wire(client);
new Plug(client, tokens);
takeUpUnanswered();
turnTo(current());
welcome();
refresh();
composer.focus();
tokens.takeLink();
void tokens.considerLink().then(() => client.connect());
