// The files that go with the question: which the agent takes, and how far each is on its way.

import type { FilesTaken, SentFile, UploadOptions } from "greenroom";
import { say } from "./announcing.js";
import { element, icon, ICONS, randomId } from "./dom.js";
import type { Memory } from "./memory.js";
import { wordsOf } from "./threads.js";

/** What browsers do not know by a file's name on every system. */
const MEDIA: Readonly<Record<string, string>> = { csv: "text/csv", json: "application/json", log: "text/plain", md: "text/markdown", tsv: "text/tab-separated-values", txt: "text/plain", yaml: "application/yaml" };
const KINDS: Readonly<Record<string, string>> = { "image/*": "images", "audio/*": "sound", "video/*": "video", "text/*": "text", "application/pdf": "PDF" };

export interface FileStore {
  upload(file: File, options: UploadOptions): Promise<SentFile>;
  discard(file: string): Promise<void>;
}

interface Attached {
  readonly file: string;
  readonly name: string;
  readonly size: number;
  progress: number;
  sent: SentFile | null;
  readonly stop: AbortController;
}

/** What the agent takes: the server wrote it into the page. */
export const FILES = taken();

function taken(): FilesTaken | null {
  const text = document.body.dataset["files"];
  return text === undefined ? null : (JSON.parse(text) as FilesTaken);
}

export class Attachments {
  readonly #store: FileStore;
  readonly #memory: Memory;
  readonly #changed: () => void;
  #attached: Attached[] = [];

  /** memory: what the server has is still attached after a reload. changed: another one is there, or one is on its way no more. */
  constructor(store: FileStore, memory: Memory, changed: () => void) {
    [this.#store, this.#memory, this.#changed] = [store, memory, changed];
    const known = FILES ? ((memory.get("files") ?? []) as readonly SentFile[]) : [];
    this.#attached = known.map((sent) => ({ file: sent.file, name: sent.name, size: sent.size, progress: sent.size, sent, stop: new AbortController() }));
  }

  /** What a reload cut off: the page has those files no more. Returns it in words, and has the server forget their parts. */
  dropUnfinished(): string | null {
    const cut = (this.#memory.get("sending") ?? []) as readonly Pick<Attached, "file" | "name">[];
    for (const { file } of cut) this.#forget(file);
    this.#memory.set("sending", null);
    return cut.length ? `${cut.map(({ name }) => name).join(", ")}: the page was reloaded before all of it was sent. Attach it again.` : null;
  }

  get isEmpty(): boolean { return this.#attached.length === 0; }
  get isSending(): boolean { return this.#attached.some(({ sent }) => !sent); }
  get sent(): readonly SentFile[] { return this.#attached.flatMap(({ sent }) => (sent ? [sent] : [])); }

  /** Attach what the agent takes; why not the others, in words. */
  add(files: readonly File[], complain: (words: string) => void): void {
    const problems: string[] = [];
    for (const file of files) {
      const problem = this.#problem(file);
      if (problem) problems.push(problem);
      else void this.#send(file, complain);
    }
    if (problems.length) complain(problems.join(" "));
  }

  /** The server forgets them, too: no message has them. */
  discard(): void {
    for (const { file } of this.sent) this.#forget(file);
    this.clear();
  }

  clear(): void {
    for (const { stop } of this.#attached) stop.abort();
    this.#set([]);
  }

  chips(removed: () => void): HTMLElement[] {
    return this.#attached.map((each) => {
      const remove = () => { each.stop.abort(); if (each.sent) this.#forget(each.file); this.#drop(each); say(`${each.name} removed.`); removed(); };
      const state = each.sent ? sizeText(each.size) : `${sizeText(each.size)}, ${Math.floor((100 * each.progress) / (each.size || 1))} %`;
      return element("span", { class: "chip", testid: each.sent ? "file-chip" : "sending" }, icon(ICONS.file),
        element("bdi", { class: "chip-name" }, each.name), element("span", { class: "shape" }, state),
        element("button", { type: "button", "aria-label": `Remove ${each.name}`, onclick: remove }, icon(ICONS.failed)));
    });
  }

  #problem({ name, size, type }: File): string | null {
    if (!FILES) return "This agent takes no files: ask in words.";
    if (size > FILES.max_bytes) return `${name} is too large: the agent takes at most ${sizeText(FILES.max_bytes)}.`;
    if (!isTaken(mediaOf(name, type))) return `${name} is not what the agent takes: ${FILES.types.map((each) => KINDS[each] ?? each).join(", ")}.`;
    return this.#attached.length < FILES.most ? null : `${name} was left out: at most ${FILES.most === 1 ? "one file goes" : `${FILES.most} files go`} with a question.`;
  }

  async #send(file: File, complain: (words: string) => void): Promise<void> {
    const attached: Attached = { file: randomId(), name: file.name, size: file.size, progress: 0, sent: null, stop: new AbortController() };
    const onProgress = (bytes: number) => { attached.progress = bytes; this.#changed(); };
    this.#set([...this.#attached, attached]);
    try {
      attached.sent = await this.#store.upload(file, { file: attached.file, media: mediaOf(file.name, file.type), onProgress, signal: attached.stop.signal });
      if (attached.stop.signal.aborted) return;
      this.#set(this.#attached);
      say(`${file.name} attached, ${sizeText(file.size)}.`);
    } catch (error) {
      if (attached.stop.signal.aborted) return;
      this.#drop(attached);
      complain(`${file.name} could not be sent: ${wordsOf(error)}`);
    }
  }

  #forget(file: string): void { void this.#store.discard(file).catch(() => {}); } // else the server forgets it later

  #drop(attached: Attached): void { this.#set(this.#attached.filter((each) => each !== attached)); }

  #set(attached: Attached[]): void {
    this.#attached = attached;
    const sending = attached.filter(({ sent }) => !sent).map(({ file, name }) => ({ file, name }));
    this.#memory.set("files", this.sent.length ? this.sent : null);
    this.#memory.set("sending", sending.length ? sending : null);
    this.#changed();
  }
}

const mediaOf = (name: string, type: string): string => type || (MEDIA[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream");

const isTaken = (media: string): boolean =>
  !FILES?.types.length || FILES.types.some((type) => (type.endsWith("/*") ? media.startsWith(type.slice(0, -1)) : media.split(";")[0] === type));

/** 12 bytes, 3 KB, 1.5 MB */
export function sizeText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} KB` : `${(bytes / 1_000_000).toFixed(1).replace(/\.0$/, "")} MB`;
}
