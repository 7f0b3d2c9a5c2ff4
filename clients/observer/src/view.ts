// What a view is, and what it is shown with.

import type { Fields } from "../../page/src/dom.js";

export type Role = "look" | "act";

/** A page of the observer. */
export interface View {
  readonly title: string;
  /** Fills `place.root`. What it rejects with is shown in its place. */
  show(place: Place): void | Promise<void>;
}

export interface Place {
  readonly root: HTMLElement;
  /** What follows the view's name in the address, decoded. */
  readonly parts: readonly string[];
  readonly api: Api;
  /** Aborts when another view is shown. */
  readonly signal: AbortSignal;
  readonly role: Role;
}

/** Asks the server. Paths are relative to `admin/`; `T` is what the server documents. Rejects with `ApiError`. */
export interface Api {
  get<T = Fields>(path: string, signal?: AbortSignal): Promise<T>;
  /** An answer that is no JSON. */
  text(path: string, signal?: AbortSignal): Promise<string>;
  send<T = Fields>(method: "POST" | "DELETE", path: string, signal?: AbortSignal): Promise<T>;
}

/** The server refused, or did not answer (status 0). `said` is the whole refusal, if it is JSON. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly advice = "", readonly said: Fields = {}) {
    super(message);
  }
}
