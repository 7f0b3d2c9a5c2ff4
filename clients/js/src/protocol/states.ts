// The states of a client, and what leads from one to another. Nothing else changes the state.

export type State = "connecting" | "ready" | "reconnecting" | "closed";

/** `ready`: the server said so. `alive`: the server answered a probe. `lost`: the socket ended, or the browser says that
 *  it is offline. `ended`: there is no use in coming back, or the program said so. `connect`: the program says so. */
export type Cause = "ready" | "alive" | "lost" | "ended" | "connect";

export const TRANSITIONS: Readonly<Record<State, Partial<Record<Cause, State>>>> = {
  connecting: { ready: "ready", lost: "reconnecting", ended: "closed" },
  ready: { lost: "reconnecting", ended: "closed", connect: "connecting" },
  reconnecting: { ready: "ready", alive: "ready", lost: "reconnecting", ended: "closed", connect: "connecting" },
  closed: { connect: "connecting" },
};
