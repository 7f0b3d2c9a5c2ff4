//#region src/paste.ts
const MARKS = [
	",",
	";",
	"	",
	"|"
];
const LOOKED_AT = 8192;
const LINES_LOOKED_AT = 50;
const EVEN = .75;
const WORDS_AT_MOST = 5;
const NUMBER = /^[-+(]?\s*[$€£¥]?\s*[\d.,]*\d[\d.,' ]*\s*[%$€£¥)]?$|^\d{4}-\d\d(-\d\d)?/;
const CODE = [
	/^\s*(def|class|import|from|return|if|elif|else|for|while|try|with|const|let|var|function|public|private|SELECT)\b\s*[\w{("'*:]/,
	/^\s*[\w.[\]]+(, *[\w.[\]]+)*\s*[-+*/:]?=\s/,
	/[{([\\:]\s*$/,
	/^\s*[{}[\]]/,
	/^\s*\((?![\d$€£¥])/,
	/[\]}][,;]?\s*$/,
	/\w\(.*\)\s*[;,:]?$/,
	/^\s*(#include|\/\/|[\w-]+: \S|<\w.*>$)/
];
const isNumber = (cell) => cell.length < 40 && NUMBER.test(cell);
const split = (text) => text.split(/\r\n?|\n/);
const count = (line, mark) => line.split(mark).length - 1;
/** Quoted cells may hold anything, line breaks too: they count as one word. A lone " is not a quote. */
const unquoted = (text) => text.replace(/(^|[,;\t|\r\n]) *(?:"[^"]*")+/g, "$1_");
/** Lines with something in them, quoted cells as words. */
const linesOf = (text) => split(unquoted(text)).filter((line) => line.trim());
/** The first lines; what is cut off in the middle of a line, or of a quoted cell, is left out. */
function headOf(text) {
	const lines = linesOf(text.slice(0, LOOKED_AT));
	return (text.length > LOOKED_AT && lines.length > 2 ? lines.slice(0, -1) : lines).slice(0, LINES_LOOKED_AT);
}
/** How many rows and columns; a title may stand above the header. */
function shapeOf(text) {
	const head = headOf(text);
	const above = Math.max(0, head.slice(0, WORDS_AT_MOST).findIndex((_, i) => head.length > i + 1 && delimiterIn(head.slice(i))));
	const columns = (delimiterIn(head.slice(above))?.width ?? 0) + 1;
	return {
		rows: Math.max(linesOf(text).length - above - 1, 0),
		columns
	};
}
/** The delimiter that most of these lines agree on with the first, their header; else null. */
function delimiterIn(lines) {
	return MARKS.map((mark) => {
		const width = count(lines[0] ?? "", mark);
		return {
			mark,
			width,
			share: lines.filter((line) => count(line, mark) === width).length / lines.length
		};
	}).filter(({ width, share }) => width > 0 && share >= EVEN).sort((a, b) => b.share - a.share || b.width - a.width)[0] ?? null;
}
/** The table in a pasted text; null when there is none. */
function findTable(pasted) {
	const text = pasted.replace(/^sep=.(\r\n?|\n)/i, "");
	const markdown = fromMarkdown(text);
	if (markdown) return markdown;
	if (isCode(text)) return null;
	const lines = split(text);
	for (let i = 0; i < Math.min(lines.length - 1, WORDS_AT_MOST); i += 1) {
		const table = lines.slice(i).join("\n");
		if (!isWords(lines, i) && looksLikeTable(table)) return {
			words: lines.slice(0, i).join("\n").trim(),
			table
		};
	}
	return null;
}
/** A question, a line by itself and a blank line are not headers. */
const isWords = (lines, i) => !lines[i]?.trim() || /[?!:]\s*$/.test(lines[i]) || i === 0 && lines[1]?.trim() === "" && lines[3]?.trim() !== "";
function isCode(text) {
	if (/^\s*[[{]/.test(text)) return true;
	const lines = headOf(text).slice(0, 20);
	return lines.filter((line) => CODE.some((sign) => sign.test(line))).length * 3 > lines.length;
}
function looksLikeTable(text) {
	const lines = headOf(text);
	const found = lines.length > 1 ? delimiterIn(lines) : null;
	if (!found) return isColumn(lines);
	const rows = lines.map((line) => line.split(found.mark).map((cell) => cell.trim()));
	if ((rows[0]?.filter(Boolean).length ?? 0) < 2) return false;
	return !(found.mark === "," && /, /.test(lines[0] ?? "")) || hasNumbers(rows) || lines.length > 3 && found.share === 1;
}
const hasNumbers = ([header = [], ...rows]) => header.some((_, i) => rows.filter((row) => isNumber(row[i] ?? "")).length >= EVEN * rows.length);
/** A name and numbers below it. */
const isColumn = ([name = "", ...rest]) => rest.length > 1 && name.length < 60 && !isNumber(name.trim()) && rest.every((line) => isNumber(line.trim()));
/** | a | b | over |---|---| as CSV, with what is written above it. */
function fromMarkdown(text) {
	const lines = split(text);
	const rule = lines.slice(0, WORDS_AT_MOST + 2).findIndex((line) => /^[ \t|:-]*-[ \t|:-]*$/.test(line) && line.includes("|"));
	const header = lines[rule - 1];
	if (rule < 1 || !header?.includes("|")) return null;
	const rows = [header, ...lines.slice(rule + 1)].filter((line) => line.includes("|"));
	const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => quoted(cell.trim()));
	return {
		words: lines.slice(0, rule - 1).join("\n").trim(),
		table: `${rows.map((line) => cells(line).join(",")).join("\n")}\n`
	};
}
const quoted = (cell) => /[",]/.test(cell) ? `"${cell.replaceAll("\"", "\"\"")}"` : cell;

//#endregion
export { findTable, isCode, shapeOf };