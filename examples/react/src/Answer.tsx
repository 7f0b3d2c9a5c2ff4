import type { JSON as Json, Question, RunState, ToolCall } from "greenroom";
import { useGreenroom } from "greenroom/react";

/** What the demo's agent reports. */
interface Report {
  title?: string;
  table?: { columns: string[]; rows: Json[][] };
  questions?: string[];
}

const shown = (value: Json | undefined): string => (typeof value === "string" ? value : JSON.stringify(value));
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
const textOf = (said: Json | undefined): string => shown(isObject(said) && "text" in said ? (said.text as Json) : said);

export function Answer({ run, ask }: { run: RunState; ask?: ((text: string) => void) | undefined }) {
  const client = useGreenroom();
  const isRunning = run.status === "waiting" || run.status === "running";
  const report = (isObject(run.report) ? run.report : {}) as Report;
  return (
    <>
      {run.said !== undefined && <p className="said">{textOf(run.said)}</p>}
      <article data-status={run.status} aria-busy={isRunning}>
        {isRunning && run.thinking && <p className="thinking">{run.thinking}</p>}
        {run.tools.length > 0 && <ul className="tools">{run.tools.map((tool) => <Tool key={tool.tool_call} tool={tool} />)}</ul>}
        {run.questions.map((question) => <Asked key={question.ask} question={question} />)}
        {report.title && <h2>{report.title}</h2>}
        {run.text && <p className="text">{run.text}</p>}
        {typeof run.report === "string" && run.report !== run.text && <p className="text">{run.report}</p>}
        {report.table && <Table {...report.table} />}
        {run.status === "cancelled" && <p className="quiet">Stopped</p>}
        {run.error && <p role="alert">{run.error.message} <small>Reference: {run.error.reference}</small></p>}
        {isRunning && <button className="quiet" onClick={() => client.cancel(run.run).catch(console.error)}>Stop</button>}
        {!isRunning && ask && <div className="choices">{report.questions?.map((text) => <button key={text} onClick={() => ask(text)}>{text}</button>)}</div>}
      </article>
    </>
  );
}

function Tool({ tool }: { tool: ToolCall }) {
  return <li data-status={tool.status}>{tool.tool_name} <small>{tool.error ?? (tool.status === "executing" ? "…" : "done")}</small></li>;
}

/** A question of the agent. The first answer counts, whatever tab it comes from. */
function Asked({ question }: { question: Question }) {
  const client = useGreenroom();
  const answer = (value: Json) => client.answer(question.ask, value).catch(console.error);
  const closed = { answered: `Answered: ${shown(question.value)}`, expired: "It has expired.", withdrawn: "It was withdrawn." };
  return (
    <fieldset className="question">
      <legend>{question.prompt}</legend>
      {question.status !== "open" && <p className="quiet">{closed[question.status]}</p>}
      {question.status === "open" && question.options?.map((option) => <button key={shown(option)} onClick={() => answer(option)}>{shown(option)}</button>)}
      {question.status === "open" && !question.options && (
        <input aria-label={question.prompt} onKeyDown={({ key, currentTarget }) => void (key === "Enter" && answer(currentTarget.value))} />
      )}
    </fieldset>
  );
}

function Table({ columns, rows }: { columns: string[]; rows: Json[][] }) {
  return (
    <table>
      <thead><tr>{columns.map((column) => <th key={column}>{column}</th>)}</tr></thead>
      <tbody>{rows.map((row, index) => <tr key={index}>{row.map((cell, at) => <td key={at}>{shown(cell)}</td>)}</tr>)}</tbody>
    </table>
  );
}
