// The connection in words: its state, and why the server refuses this page.

import type { Client, Reason } from "greenroom";
import { askWhy } from "./admission.js";
import { $, put } from "./dom.js";
import type { Tokens } from "./tokens.js";

const ASK_WHY_AFTER = 2; // attempts to connect that failed
const STABLE_MS = 5_000; // a connection that lived this long forgets earlier failures
const DISCONNECTED = 4509, NO_REASON = "disconnected by the service";
const BAD_TOKEN = 4500;

type Shown = "connecting" | "live" | "waiting" | "offline" | "closed";

const CLOSED: Readonly<Record<number, readonly [words: string, action: string]>> = {
  1009: ["This page sent a message that is larger than the server takes, and was disconnected.", "Connect"],
  4500: ["Your token was not accepted or has expired.", "Use another token"],
  4503: ["You are signed in as someone else now.", "Start again"],
  4506: ["Too many tabs are open for you. Close one, then connect again.", "Connect"],
  4507: ["This page sent too much at once and was disconnected.", "Connect"],
};

/** Shows each state of the client, and why it is not live, with what the user can do about it. */
export class Status {
  readonly #client: Client;
  readonly #tokens: Tokens;
  readonly #signIn: () => void;
  #failures = 0;
  #turn = 0; // goes up with each state: what was asked about an earlier one no longer counts
  #countdown: ReturnType<typeof setInterval> | undefined;
  #stable: ReturnType<typeof setTimeout> | undefined;
  #trouble: string | null = null; // why the server refuses this page, in its words; shown until it accepts
  #final: string | null = null; // why the page has given up

  /** signIn: the user must give a token. */
  constructor(client: Client, tokens: Tokens, signIn: () => void) {
    [this.#client, this.#tokens, this.#signIn] = [client, tokens, signIn];
    client.on("state", () => this.#show());
  }

  #show(): void {
    const { reason } = this.#client, shown = shownOf(this.#client);
    this.#turn += 1;
    clearInterval(this.#countdown);
    clearTimeout(this.#stable);
    document.querySelector<HTMLElement>(".connection")?.setAttribute("data-state", shown);
    put($("connection-text"), this.#words(shown));
    put($("connection-left"), shown === "waiting" ? this.#waitLeft() : "");
    document.body.classList.toggle("is-away", shown !== "live");
    if (reason?.retryAt !== undefined) this.#failures += 1;
    if (shown === "live") this.#stable = setTimeout(() => { this.#failures = 0; }, STABLE_MS);
    if (shown === "waiting") this.#countDown();
    if (shown === "live" || shown === "closed") this.#trouble = null;
    if (shown === "closed") this.#explain(reason);
    else if (this.#trouble === null) $("notice").hidden = true;
    if (shown === "waiting" && this.#failures >= ASK_WHY_AFTER) void this.#explainWaiting(this.#turn);
  }

  #words(shown: Shown): string {
    switch (shown) {
      case "live": return "Live";
      case "connecting": return "Connecting…";
      case "offline": return "Offline";
      case "closed": return this.#tokens.needed ? "Not signed in" : "Disconnected";
      case "waiting": return "Reconnecting";
    }
  }

  /** Beside the words, which a screen reader says once and not each second. */
  #waitLeft(): string {
    const left = Math.ceil(((this.#client.reason?.retryAt ?? 0) - Date.now()) / 1_000);
    return left > 0 ? ` in ${left} s` : "…";
  }

  #countDown(): void {
    this.#countdown = setInterval(() => put($("connection-left"), this.#waitLeft()), 500);
  }

  #explain(reason: Reason | null): void {
    const final = this.#final;
    this.#final = null;
    if (this.#tokens.needed) {
      $("notice").hidden = true;
      return this.#signIn();
    }
    const [text, action] = final !== null ? [final, "Try again"] as const : closedWords(reason);
    this.#notify(text, action, () => {
      if (reason?.code === BAD_TOKEN) this.#tokens.reject();
      this.#client.connect();
    });
  }

  /** A browser hides why an upgrade was refused, so ask. The page retries meanwhile if waiting may help. */
  async #explainWaiting(turn: number): Promise<void> {
    const why = await askWhy(this.#tokens.kept);
    if (turn !== this.#turn) return;
    this.#trouble = why?.words ?? null;
    if (why?.isFinal) {
      this.#final = why.words;
      this.#client.close();
    } else if (why) this.#notify(why.words, "Try now", () => void this.#client.connect());
    else $("notice").hidden = true;
  }

  #notify(text: string, action: string, act: () => void): void {
    put($("notice-text"), text);
    put($("notice-button"), action);
    $("notice-button").onclick = () => {
      $("notice").hidden = true;
      act();
    };
    $("notice").hidden = false;
  }
}

function shownOf({ state, reason }: Client): Shown {
  if (state === "ready") return "live";
  if (state === "closed") return "closed";
  if (reason?.offline || !navigator.onLine) return "offline";
  return state === "connecting" ? "connecting" : "waiting";
}

function closedWords(reason: Reason | null): readonly [string, string] {
  if (reason?.code === DISCONNECTED) return thrownOut(reason.message);
  const known = reason && CLOSED[reason.code];
  return known ?? [`The server closed the connection: ${reason?.message || "no reason given"} (${reason?.code}).`, "Connect again"];
}

function thrownOut(reason: string): readonly [string, string] {
  const why = reason && reason !== NO_REASON ? `: ${reason}` : ".";
  return [`The service has disconnected you${why}`, "Connect again"];
}
