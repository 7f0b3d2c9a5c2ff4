// The README's examples as files, for the type checker: node scripts/snippets.js

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const folder = new URL("../.snippets/", import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const snippets = [...readme.matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
snippets.forEach(([, kind, code], index) => writeFileSync(new URL(`${index}.${kind}`, folder), `${code}export {};\n`));
console.log(`${snippets.length} examples`);
