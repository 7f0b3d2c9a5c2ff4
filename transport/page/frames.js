// Frames as text: what goes onto the wire, and how large it is. No DOM here.

export const randomId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

export const byteLength = (text) => new TextEncoder().encode(text).length;

/** A frame as JSON. The server refuses half a surrogate pair, which is not text (RFC 8259 §8.2), so U+FFFD replaces it.
 *  JSON.stringify writes such a half as an escape of its own, and nothing else as \ud8.. to \udf...; every other escape stays. */
export const encode = (frame) =>
  JSON.stringify(frame).replace(/\\(?:u(d[89a-f][0-9a-f]{2})|.)/g, (escape, half) => (half ? "\ufffd" : escape));

/** A token as a subprotocol: a browser sends no header of ours with an upgrade, and a URL would be logged. */
export const bearer = (token) =>
  "greenroom.bearer." +
  btoa(String.fromCharCode(...new TextEncoder().encode(token)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** 16.4 kB */
export const kilobytes = (bytes) => `${Math.round(bytes / 100) / 10} kB`;
