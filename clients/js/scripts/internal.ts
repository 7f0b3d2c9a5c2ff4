// Properties of our own objects get short names in what is built. Neither the wire, nor the public API, nor any object of the browser
// may have one of these names, and none may stand in a string, as those of inputs and commands do. test/package.test.ts looks.

export const INTERNAL = [
  "again", "arrivals", "attempts", "backOff", "burst", "comeBack", "conclude", "due", "emit", "emitter", "env", "feed", "giveUp", "hasRoom", "hear", "isGap",
  "isHidden", "isOffline", "isOwn", "keep", "machine", "move", "over", "patience", "pending", "phase", "place", "queued", "requests", "room", "setAsks", "signedOut", "takeSession",
  "tries", "unacked", "watch", "weight", "why",
];

/** What each is called in what is built, the same in every file: a, b and so on. */
export const SHORT = Object.fromEntries(INTERNAL.map((name, index) => [name, String.fromCharCode((index < 26 ? 97 : 39) + index)]));
