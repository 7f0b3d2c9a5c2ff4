// Questions to the server, with the session's cookie. The token is sent once, in a header, and kept nowhere.

import { adminUrl, type Api, ApiError, type Fields, isObject, type Role } from "./kit.js";

export interface Session {
  readonly role: Role;
  readonly csrf: string;
  readonly expires_at: number;
}

export class HttpApi implements Api {
  private csrf = "";
  /** Called when the server no longer knows the session. */
  onSignedOut: () => void = () => undefined;

  /** The session of the cookie; null without one. */
  async session(): Promise<Session | null> {
    const answer = await ask("GET", "session");
    return answer.status === 401 ? null : this.enter(await read<Session>(answer));
  }

  async signIn(token: string): Promise<Session> {
    return this.enter(await read<Session>(await ask("POST", "session", { Authorization: `Bearer ${token}` })));
  }

  async signOut(): Promise<void> {
    await this.send("DELETE", "session");
  }

  async get<T = Fields>(path: string, signal?: AbortSignal): Promise<T> {
    return this.answered<T>(await ask("GET", path, {}, signal));
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    const answer = await ask("GET", path, {}, signal);
    return answer.ok ? answer.text() : this.answered<string>(answer);
  }

  async send<T = Fields>(method: "POST" | "DELETE", path: string, signal?: AbortSignal): Promise<T> {
    return this.answered<T>(await ask(method, path, { "X-Greenroom-CSRF": this.csrf }, signal));
  }

  private enter(session: Session): Session {
    this.csrf = session.csrf;
    return session;
  }

  private answered<T>(answer: Response): Promise<T> {
    if (answer.status === 401) this.onSignedOut();
    return read<T>(answer);
  }
}

async function ask(method: string, path: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(adminUrl(path), { method, headers, credentials: "same-origin", cache: "no-store", signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The server does not answer.", "Is it running, and is the tunnel to it open?");
  }
}

/** The answer's JSON. A refusal is JSON with `error` and `advice`, or a sentence. */
async function read<T>(answer: Response): Promise<T> {
  const text = await answer.text();
  const said = parsed(text);
  if (answer.ok && isObject(said)) return said as T;
  if (isObject(said)) throw new ApiError(answer.status, String(said["error"] ?? answer.statusText), String(said["advice"] ?? ""), said);
  throw new ApiError(answer.status, text.slice(0, 500).trim() || `The server answered with status ${answer.status}.`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
