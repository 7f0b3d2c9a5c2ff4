// Where the server is, and how a token gets there.

/** The URL of `/live`: of `ws(s)://` or `http(s)://`, in a browser also relative to the page. The path is `/live` if it has none. */
export function endpoint(url: string | URL): URL {
  const live = new URL(String(url).replace(/^ws/i, "http"), globalThis.location?.href);
  if (live.pathname === "/") live.pathname = "/live";
  return live;
}

/** A token as a subprotocol: a browser sends no header of ours with an upgrade, and a URL would be logged. */
export const bearer = (token: string): string =>
  "greenroom.bearer." +
  btoa(String.fromCharCode(...new TextEncoder().encode(token)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
