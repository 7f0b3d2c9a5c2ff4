// From what somebody quotes (an id of any kind, a reference, a user's name, a path in the tree) to the page about it.

import { $, type Api, ApiError, address, put } from "./kit.js";

const CRASH = /^[a-z0-9]{8}$/; // what an id of a crash looks like; a user's may, too
const BY_PREFIX: Readonly<Record<string, string>> = { evt: "why", run: "runs" };

/** The parts of the address; a sentence if there is no page. */
export async function placeOf(text: string, api: Api): Promise<readonly string[] | string> {
  const kind = /^([a-z]+)_[0-9a-z]{26}$/.exec(text)?.[1] ?? "";
  const view = Object.hasOwn(BY_PREFIX, kind) ? BY_PREFIX[kind] : undefined;
  if (view) return [view, text];
  if (kind === "thread") return ["users", (await api.get<{ readonly user: string }>(`threads/${text}`)).user];
  if (kind === "sess") return "This is the id of a session: it is on the page of its user. Search for the user, or for a run of theirs.";
  if (text.startsWith("greenroom/")) return ["tree", text];
  return CRASH.test(text) && (await isCrash(text, api)) ? ["crashes", text] : ["users", text];
}

async function isCrash(id: string, api: Api): Promise<boolean> {
  try {
    await api.get(`crashes/${id}`);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}

/** The search box; "/" leads to it from anywhere but a field. */
export function openSearch(api: Api): void {
  const box = $<HTMLInputElement>("sought");
  const say = (words: string): void => {
    put($("search-problem"), words);
    $("search-problem").hidden = !words;
  };
  const search = async (): Promise<void> => {
    const text = box.value.trim();
    if (!text) return;
    try {
      const place = await placeOf(text, api);
      say(typeof place === "string" ? place : "");
      if (typeof place === "string") return;
      box.value = "";
      location.hash = address(...place);
    } catch (error) {
      say(error instanceof ApiError ? `${error.message}${error.advice && `: ${error.advice}`}` : String(error));
    }
  };
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    void search();
  });
  addEventListener("hashchange", () => say(""));
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
    event.preventDefault();
    box.focus();
  });
}

const isField = (target: EventTarget | null): boolean => target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));
