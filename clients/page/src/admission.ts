// Why the server refuses this page. A browser hides the answer to an upgrade; over plain HTTP the server gives it.

const WITHIN_MS = 10_000; // a request that hangs must not stop the page from retrying
const LONGEST = 200; // characters of a server's words that are shown

/** Answers that do not change by waiting. */
const FINAL = new Set([400, 403, 413, 414, 431, 494]);
const ADVICE: Readonly<Record<number, string>> = {
  403: "Open the page at the address that the server allows.",
  429: "Close other tabs of this page.",
  431: "Ask for a smaller token, or clear the cookies of this site.",
  494: "Ask for a smaller token, or clear the cookies of this site.",
};

export interface Why {
  readonly status: number;
  readonly isFinal: boolean;
  readonly words: string;
}

export interface Visitor {
  /** Null when the server does not say. */
  readonly user: string | null;
  /** Null when it cannot be reached. */
  readonly status: number | null;
  readonly isSignedOut: boolean;
}

export const ask = (path: string, token: string | null = null, method: "GET" | "POST" = "GET"): Promise<Response> =>
  fetch(path, {
    method,
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    cache: "no-store",
    signal: AbortSignal.timeout(WITHIN_MS),
  });

/** Whose token this is, or without one whose cookies. */
export async function whoami(token: string | null): Promise<Visitor> {
  try {
    const response = await ask("whoami", token);
    const answer = response.ok ? await response.json().catch(() => ({})) : {};
    return { user: typeof answer.user === "string" ? answer.user : null, status: response.status, isSignedOut: isSignedOut(response) };
  } catch {
    return { user: null, status: null, isSignedOut: false };
  }
}

/** Null when the server cannot be reached, or refuses the token: the page asks for another one. */
export async function askWhy(token: string | null): Promise<Why | null> {
  try {
    const first = await ask("whoami", token);
    for (const answer of first.ok ? [first, await ask("readyz")] : [first]) {
      if (answer.status === 401) return token === null && isSignedOut(answer) ? SIGNED_OUT : null;
      if (!answer.ok) return await refusal(answer);
    }
    return isOurs(first) ? NO_WEBSOCKET : STRANGER;
  } catch {
    return null;
  }
}

const isOurs = (response: Response): boolean => (response.headers.get("Content-Type") ?? "").startsWith("application/json");

/** A service with users of its own refuses a request without a token as it does a bad token (RFC 6750 §3.1), and does not ask for one. */
const isSignedOut = (response: Response): boolean =>
  response.status === 401 && (response.headers.get("WWW-Authenticate") ?? "").includes("invalid_token");

const SIGNED_OUT: Why = { status: 401, isFinal: false, words: "You are not signed in. Sign in to this service, then come back to this page." };
const NO_WEBSOCKET: Why = { status: 200, isFinal: false, words:
  "The server answers, but this page cannot connect to it. A proxy on the way may not let WebSocket through." };
const STRANGER: Why = { status: 200, isFinal: false, words:
  "Something else answers in the server's place. The network may ask you to sign in first: reload this page." };

async function refusal(response: Response): Promise<Why> {
  const { status } = response;
  const said = await saidBy(response);
  const advice = status === 403 && said ? null : ADVICE[status]; // the server says itself that it refuses the user
  const words = [`The server does not let this page connect${said ? `: ${said}` : "."} (${status})`, advice];
  return { status, isFinal: FINAL.has(status), words: words.filter(Boolean).join(" ") };
}

/** One line of plain text; a proxy's page of HTML says nothing. */
async function saidBy(response: Response): Promise<string> {
  if (!(response.headers.get("Content-Type") ?? "").startsWith("text/plain")) return "";
  return ((await response.text()).trim().split("\n", 1)[0] ?? "").slice(0, LONGEST);
}
