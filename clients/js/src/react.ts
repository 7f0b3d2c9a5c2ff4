// For React 18 and 19. Rendering does nothing outside of itself: the client connects in an effect, and not on a server.

import { createContext, createElement, type ReactNode, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { Client, type ConnectOptions, eventLog, GreenroomError, type JSON, type Reason, type RunState, type Said, type SayOptions, type State, type ThreadState } from "./index.js";

const Context = createContext<Client | null>(null);

export type GreenroomProviderProps = ConnectOptions & { children?: ReactNode };

/** Connects while it is mounted. Only the options of its first rendering count, except `getToken`; give it a `key` to begin anew. */
export function GreenroomProvider({ children, ...options }: GreenroomProviderProps): ReactNode {
  const [latest] = useState({ options });
  const [client] = useState(() => new Client({ ...options, getToken: (context) => latest.options.getToken(context) }));
  useEffect(() => {
    latest.options = options;
  });
  useEffect(() => {
    eventLog(client);
    client.connect();
    return () => client.close();
  }, [client]);
  return createElement(Context.Provider, { value: client }, children);
}

/** The client of the provider around. */
export function useGreenroom(): Client {
  const client = useContext(Context);
  if (client) return client;
  throw new GreenroomError({ code: 0, message: "useGreenroom needs a <GreenroomProvider>", temporary: false });
}

export interface Connection {
  readonly state: State;
  /** Why there is no connection; null while there is one. */
  readonly reason: Reason | null;
}

/** Whether there is a connection, and if not, why. */
export function useConnection(): Connection {
  const client = useGreenroom();
  const subscribe = useMemo(() => (changed: () => void) => client.on("state", changed), [client]);
  const change = useSyncExternalStore(subscribe, () => client.reason ?? client.state, (): Reason | State => "closed");
  return useMemo(() => {
    const { state, reason } = client;
    return { state: state === "closed" && !reason ? "connecting" : state, reason }; // closed without a reason: not connected yet
  }, [client, change]);
}

export interface UseRun {
  readonly run: RunState;
  /** Stop it; its end arrives as an event. */
  cancel(): Promise<void>;
  /** The same. */
  stop(): Promise<void>;
}

/** A run as it goes on. What came before this page was loaded is fetched from the history. */
export function useRun(id: string): UseRun {
  const client = useGreenroom();
  const view = useMemo(() => eventLog(client).run(id), [client, id]);
  const cancel = () => view.cancel();
  return { run: useView(client, view), cancel, stop: cancel };
}

export interface UseThread {
  readonly thread: ThreadState;
  /** Fetch earlier events, while `thread.more` says that there are some. */
  load(limit?: number): Promise<void>;
  say(body: JSON, options?: Omit<SayOptions, "thread">): Promise<Said>;
}

/** A thread as it goes on, with its newest page of history. */
export function useThread(id: string): UseThread {
  const client = useGreenroom();
  const view = useMemo(() => eventLog(client).thread(id), [client, id]);
  return { thread: useView(client, view), load: (limit) => view.load(limit), say: (body, options) => view.say(body, options) };
}

interface View<T> {
  readonly state: T;
  load(): Promise<void>;
  subscribe(changed: () => void): () => void;
}

/** The state of a view, whose earlier events are fetched at first, and again when some of them no longer count. */
function useView<T>(client: Client, view: View<T>): T {
  useEffect(() => {
    const load = () => void view.load().catch(() => {}); // closed, or refused: what is known is shown
    load();
    return client.on("reset", load);
  }, [client, view]);
  const subscribe = useMemo(() => (changed: () => void) => view.subscribe(changed), [view]);
  const [atFirst] = useState(() => view.state);
  return useSyncExternalStore(subscribe, () => view.state, () => atFirst);
}
