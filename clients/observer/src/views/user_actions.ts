// What may be done about a user: disconnect, admit again, export, erase.

import { ApiError, askTwice, element, named, number, type Place, put } from "../kit.js";
import type { Account } from "./account.js";

const PIECES = 4_096; // pieces of an export: some 2 GB, more than a page can hold
const REFUSALS: readonly (readonly [string, number])[] = [
  ["do not refuse", 0], ["10 minutes", 600], ["1 hour", 3_600], ["1 day", 86_400], ["7 days", 604_800],
];

export class UserActions {
  readonly root: HTMLElement;
  private readonly said = element("p", { role: "status", testid: "done" });
  private readonly admit = this.button("Admit again", "admit", () => this.readmit());
  private readonly path: string;

  constructor(private readonly place: Place, private readonly user: string, private readonly changed: () => Promise<void>) {
    this.path = `users/${encodeURIComponent(user)}`;
    this.root = element("section", { class: "part actions", "aria-label": "Actions" },
      this.disconnectForm(),
      element("p", { class: "row" }, this.admit, this.button("Export", "export", () => this.export()),
        this.button("Erase…", "erase", () => this.erase(), "danger")),
      this.said);
  }

  show({ banned_until }: Account): void {
    this.admit.disabled = banned_until === null;
  }

  private button(text: string, testid: string, act: () => Promise<void>, kind = "quiet"): HTMLButtonElement {
    return element("button", { type: "button", class: kind, testid, onclick: () => void this.doing(act) }, text);
  }

  private disconnectForm(): HTMLElement {
    const reason = element("input", { id: "reason", type: "text", maxlength: 120, testid: "reason", autocomplete: "off" });
    const until = element("select", { id: "until", testid: "until" }, ...REFUSALS.map(([text, s]) => element("option", { value: s }, text)));
    const reconnect = element("input", { type: "checkbox", testid: "reconnect" });
    const runs = element("input", { type: "checkbox", testid: "cancel-runs" });
    const submit = (event: Event): void => {
      event.preventDefault();
      void this.doing(() => this.disconnect(reason.value.trim(), Number(until.value), reconnect.checked, runs.checked));
    };
    return element("form", { class: "disconnect", testid: "disconnect-form", onsubmit: submit },
      element("label", { for: "reason" }, "Reason, which the user sees"), reason,
      element("label", { for: "until" }, "Refuse for"), until,
      element("p", { class: "row" }, element("label", { class: "check" }, reconnect, "clients may come back by themselves"),
        element("label", { class: "check" }, runs, "cancel the user's runs"),
        element("button", { type: "submit", class: "danger", testid: "disconnect" }, "Disconnect…")));
  }

  private async disconnect(reason: string, seconds: number, reconnect: boolean, runs: boolean): Promise<void> {
    const happens = [
      `Every connection of ${named(this.user)} is closed`,
      seconds ? `the user is refused for ${REFUSALS.find(([, s]) => s === seconds)?.[0]}` : "",
      runs ? "the user's runs are cancelled" : "the user's runs go on",
    ].filter(Boolean).join("; ");
    if (!(await askTwice({ title: "Disconnect this user?", text: `${happens}.`, act: "Disconnect" }))) return;
    const query = new URLSearchParams();
    if (reason) query.set("reason", reason);
    if (seconds) query.set("until", String(Date.now() / 1_000 + seconds));
    if (reconnect) query.set("reconnect", "yes");
    if (runs) query.set("runs", "cancel");
    const { connections } = await this.place.api.send<{ readonly connections: number }>("POST", `${this.path}/disconnect?${query}`);
    put(this.said, `Disconnected: ${number(connections)} connections ended.`);
  }

  private async readmit(): Promise<void> {
    await this.place.api.send("DELETE", `${this.path}/disconnect`);
    put(this.said, "Admitted again.");
  }

  private async export(): Promise<void> {
    const parts: string[] = [];
    let size = 0, after: string | null = "";
    for (let piece = 0; after !== null && piece < PIECES; piece++) {
      const query: string = after && `?${new URLSearchParams({ after })}`;
      const answer: Piece = await this.place.api.get<Piece>(`${this.path}/export${query}`, this.place.signal);
      parts.push(answer.lines);
      size += answer.lines.length;
      after = answer.after;
      put(this.said, `Exporting: ${number(Math.round(size / 1_024))} KiB so far.`);
    }
    if (after !== null) throw new ApiError(0, "The export is too large for a page.", "Use `greenroom users export`.");
    save(new Blob(parts, { type: "application/x-ndjson" }), `${this.user.replace(/[^\w.@-]/g, "_")}.jsonl`);
    put(this.said, `Exported: ${number(Math.round(size / 1_024))} KiB.`);
  }

  private async erase(): Promise<void> {
    const text = `All that is kept of ${named(this.user)} is erased for good: events, threads, sessions, dead letters. Connections are closed and runs cancelled first. Backups keep what they have.`;
    if (!(await askTwice({ title: "Erase all that is kept of this user?", text, act: "Erase", typed: this.user }))) return;
    await this.place.api.send("DELETE", this.path);
    put(this.said, "All that was kept of this user is erased.");
  }

  /** One at a time; what it says is shown. */
  private async doing(act: () => Promise<void>): Promise<void> {
    const buttons = [...this.root.querySelectorAll("button")].filter((each) => !each.disabled);
    for (const each of buttons) each.disabled = true;
    this.said.classList.remove("error");
    try {
      await act();
    } catch (error) {
      if (this.place.signal.aborted) return;
      this.said.classList.add("error");
      put(this.said, error instanceof ApiError ? `${error.message} ${error.advice}`.trim() : String(error));
    } finally {
      for (const each of buttons) each.disabled = false;
    }
    await this.changed().catch(() => undefined); // the next look says what is wrong
  }
}

interface Piece {
  readonly lines: string;
  readonly after: string | null;
}

function save(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob);
  const link = element("a", { href, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
