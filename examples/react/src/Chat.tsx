import { useConnection, useGreenroom, useThread } from "greenroom/react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Answer } from "./Answer";
import { SAMPLE } from "./sample";

export function Chat() {
  const client = useGreenroom();
  const [thread, setThread] = useState(() => sessionStorage.getItem("thread"));
  const [waiting, setWaiting] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  async function ask(text: string) {
    setWaiting(text);
    setProblem(null);
    try {
      // The table goes with the first question. Without a connection the question waits for one.
      const said = await client.say(thread ? { text } : { text, table: SAMPLE }, { thread: thread ?? undefined });
      sessionStorage.setItem("thread", said.thread);
      setThread(said.thread);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    setWaiting(null);
  }

  return (
    <main>
      <header>
        <h1>Ask about the costs</h1>
        <Connection />
      </header>
      {thread ? <Conversation key={thread} id={thread} ask={ask} /> : !waiting && <Welcome ask={ask} />}
      {waiting && <p className="said waiting">{waiting}</p>}
      {problem && <p role="alert">{problem}</p>}
      <Ask ask={ask} />
    </main>
  );
}

function Connection() {
  const { state, reason } = useConnection();
  const words = { ready: "connected", connecting: "connecting…", reconnecting: "reconnecting…", closed: "disconnected" }[state];
  return <p className="connection" data-state={state} role="status" title={reason?.message}>{reason?.offline ? "offline" : words}</p>;
}

function Welcome({ ask }: { ask(text: string): void }) {
  return (
    <section className="choices">
      {["Total cost by service", "Anything unusual in cost?", "Check every value"].map((text) => (
        <button key={text} onClick={() => ask(text)}>{text}</button>
      ))}
    </section>
  );
}

function Conversation({ id, ask }: { id: string; ask(text: string): void }) {
  const { thread, load } = useThread(id);
  const runs = thread.runs.filter(({ parent }) => !parent); // those of sub-agents aside
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => void end.current?.scrollIntoView({ block: "end" }), [thread]);
  return (
    <section aria-live="polite">
      {thread.more && <button className="quiet" onClick={() => load()}>Earlier</button>}
      {runs.map((run, index) => <Answer key={run.run} run={run} ask={index === runs.length - 1 ? ask : undefined} />)}
      <div ref={end} />
    </section>
  );
}

function Ask({ ask }: { ask(text: string): void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("text")).trim();
    if (text) ask(text);
    event.currentTarget.reset();
  };
  return (
    <form onSubmit={submit}>
      <input name="text" aria-label="Your question" placeholder="Ask a question" autoComplete="off" />
      <button>Ask</button>
    </form>
  );
}
