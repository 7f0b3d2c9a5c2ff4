// Is this text a table? What people paste: rows with a question above them, a single column, cells
// with line breaks, Markdown; and what only looks like a table: prose, JSON, code. No DOM here.

const MARKS = [",", ";", "\t", "|"];
const LOOKED_AT = 8192; // characters, and
const LINES_LOOKED_AT = 50;
const EVEN = 0.75; // of the lines have as many cells as the header
const WORDS_AT_MOST = 5; // lines above the table
const NUMBER = /^[-+(]?\s*[$€£¥]?\s*[\d.,]*\d[\d.,' ]*\s*[%$€£¥)]?$|^\d{4}-\d\d(-\d\d)?/;

const CODE = [
  /^\s*(def|class|import|from|return|if|elif|else|for|while|try|with|const|let|var|function|public|private|SELECT)\b\s*[\w{("'*:]/,
  /^\s*[\w.[\]]+(, *[\w.[\]]+)*\s*[-+*/:]?=\s/, // an assignment
  /[{([\\:]\s*$/, /^\s*[{}[\]]/, /^\s*\((?![\d$€£¥])/, /[\]}][,;]?\s*$/, /\w\(.*\)\s*[;,:]?$/, /^\s*(#include|\/\/|[\w-]+: \S|<\w.*>$)/,
];

export interface Found {
  /** What was written above it. */
  readonly words: string;
  readonly table: string;
}

const isNumber = (cell: string): boolean => cell.length < 40 && NUMBER.test(cell); // NUMBER backtracks for long on long cells
const split = (text: string): string[] => text.split(/\r\n?|\n/);
const count = (line: string, mark: string): number => line.split(mark).length - 1;

/** Quoted cells may hold anything, line breaks too: they count as one word. A lone " is not a quote. */
const unquoted = (text: string): string => text.replace(/(^|[,;\t|\r\n]) *(?:"[^"]*")+/g, "$1_");

/** Lines with something in them, quoted cells as words. */
const linesOf = (text: string): string[] => split(unquoted(text)).filter((line) => line.trim());

/** The first lines; what is cut off in the middle of a line, or of a quoted cell, is left out. */
function headOf(text: string): string[] {
  const lines = linesOf(text.slice(0, LOOKED_AT));
  return (text.length > LOOKED_AT && lines.length > 2 ? lines.slice(0, -1) : lines).slice(0, LINES_LOOKED_AT);
}

/** How many rows and columns; a title may stand above the header. */
export function shapeOf(text: string): { rows: number; columns: number } {
  const head = headOf(text);
  const above = Math.max(0, head.slice(0, WORDS_AT_MOST).findIndex((_, i) => head.length > i + 1 && delimiterIn(head.slice(i))));
  const columns = (delimiterIn(head.slice(above))?.width ?? 0) + 1;
  return { rows: Math.max(linesOf(text).length - above - 1, 0), columns };
}

/** The delimiter that most of these lines agree on with the first, their header; else null. */
function delimiterIn(lines: readonly string[]): { mark: string; width: number; share: number } | null {
  const found = MARKS.map((mark) => {
    const width = count(lines[0] ?? "", mark);
    return { mark, width, share: lines.filter((line) => count(line, mark) === width).length / lines.length };
  }).filter(({ width, share }) => width > 0 && share >= EVEN);
  return found.sort((a, b) => b.share - a.share || b.width - a.width)[0] ?? null;
}

/** The table in a pasted text; null when there is none. */
export function findTable(pasted: string): Found | null {
  const text = pasted.replace(/^sep=.(\r\n?|\n)/i, ""); // Excel's word to itself
  const markdown = fromMarkdown(text);
  if (markdown) return markdown;
  if (isCode(text)) return null;
  const lines = split(text);
  for (let i = 0; i < Math.min(lines.length - 1, WORDS_AT_MOST); i += 1) {
    const table = lines.slice(i).join("\n");
    if (!isWords(lines, i) && looksLikeTable(table)) return { words: lines.slice(0, i).join("\n").trim(), table };
  }
  return null;
}

/** A question, a line by itself and a blank line are not headers. */
const isWords = (lines: readonly string[], i: number): boolean =>
  !lines[i]?.trim() || /[?!:]\s*$/.test(lines[i]) || (i === 0 && lines[1]?.trim() === "" && lines[3]?.trim() !== "");

export function isCode(text: string): boolean {
  if (/^\s*[[{]/.test(text)) return true; // JSON, or cut out of it
  const lines = headOf(text).slice(0, 20);
  return lines.filter((line) => CODE.some((sign) => sign.test(line))).length * 3 > lines.length;
}

function looksLikeTable(text: string): boolean {
  const lines = headOf(text);
  const found = lines.length > 1 ? delimiterIn(lines) : null;
  if (!found) return isColumn(lines);
  const rows = lines.map((line) => line.split(found.mark).map((cell) => cell.trim()));
  if ((rows[0]?.filter(Boolean).length ?? 0) < 2) return false;
  // Prose has commas too, but a space after each, hardly as many in every line, and no numbers between.
  const isProse = found.mark === "," && /, /.test(lines[0] ?? "");
  return !isProse || hasNumbers(rows) || (lines.length > 3 && found.share === 1);
}

const hasNumbers = ([header = [], ...rows]: readonly string[][]): boolean =>
  header.some((_, i) => rows.filter((row) => isNumber(row[i] ?? "")).length >= EVEN * rows.length);

/** A name and numbers below it. */
const isColumn = ([name = "", ...rest]: readonly string[]): boolean =>
  rest.length > 1 && name.length < 60 && !isNumber(name.trim()) && rest.every((line) => isNumber(line.trim()));

/** | a | b | over |---|---| as CSV, with what is written above it. */
function fromMarkdown(text: string): Found | null {
  const lines = split(text);
  const rule = lines.slice(0, WORDS_AT_MOST + 2).findIndex((line) => /^[ \t|:-]*-[ \t|:-]*$/.test(line) && line.includes("|"));
  const header = lines[rule - 1];
  if (rule < 1 || !header?.includes("|")) return null;
  const rows = [header, ...lines.slice(rule + 1)].filter((line) => line.includes("|"));
  const cells = (line: string): string[] => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => quoted(cell.trim()));
  return { words: lines.slice(0, rule - 1).join("\n").trim(), table: `${rows.map((line) => cells(line).join(",")).join("\n")}\n` };
}

const quoted = (cell: string): string => (/[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
