// The examples of the README, and of the pages on front-end protocols, as files, for the type checker: node scripts/snippets.js

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const folder = new URL("../.snippets/", import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const pages = ["../README.md", ...["ag-ui", "ai-sdk", "durable-streams"].map((name) => `../../../docs/${name}.md`)];
const snippets = pages.flatMap((page) => [...readFileSync(new URL(page, import.meta.url), "utf8").matchAll(/^```(tsx?)\n(.*?)^```$/gms)]);
snippets.forEach(([, kind, code], index) => writeFileSync(new URL(`${index}.${kind}`, folder), `${code}export {};\n`));
console.log(`${snippets.length} examples`);
