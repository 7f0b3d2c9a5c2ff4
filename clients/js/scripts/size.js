// What a page loads, bundled, minified and gzipped: npm run size. Fails above the limits, or where README.md says something else;
// `npm run size -- --write` writes README.md's table; `npm run size -- --parts` says by how much `connect` would be less without each
// of its modules.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const OTHERS = ["@ag-ui/client", "ai", "rxjs", "react", "react/jsx-runtime"];
const README = new URL("../README.md", import.meta.url);
const TABLE = /(?<=<!-- npm run size -- --write -->\n).*?(?=<!-- end -->)/s;
const CLOSE_ENOUGH = 0.11; // kB: not every Node has the same gzip

/** The bytes of what this statement imports, less a module, and of each chunk that `import()` loads later. A chunk may use what the
 *  first one has, as in an application's bundle. */
async function weigh(statement, without) {
  const resolveId = (id) => (id === "entry" ? id : without && id.endsWith(`/${without}.js`) ? { id, external: true } : null);
  const entry = { name: "entry", resolveId, load: (id) => (id === "entry" ? statement : null) };
  const bundle = await rolldown({ input: "entry", external: OTHERS, plugins: [entry], preserveEntrySignatures: "allow-extension", cwd: process.cwd() });
  const { output } = await bundle.generate({ minify: true });
  const first = output.find(({ isEntry }) => isEntry);
  const isNow = ({ fileName }) => fileName === first.fileName || first.imports.includes(fileName);
  const later = output.filter((chunk) => !isNow(chunk)).map((chunk) => [chunk.name, gzipped([chunk])]);
  return { now: gzipped(output.filter(isNow)), later: Object.fromEntries(later) };
}

const gzipped = (chunks) => gzipSync(chunks.map(({ code }) => code).join(""), { level: 9 }).length;

async function showParts() {
  const statement = `export { connect } from "./src/index.ts";`;
  const { now } = await weigh(statement);
  const files = readdirSync("src", { recursive: true }).filter((name) => name.endsWith(".ts"));
  const names = new Set(files.map((name) => basename(name, ".ts")));
  names.delete("client"); // all of it
  names.delete("upkeep"); // nothing of it
  const parts = [];
  for (const name of names) parts.push([name, now - (await weigh(statement, name)).now]);
  for (const [name, bytes] of parts.sort((a, b) => b[1] - a[1])) if (bytes >= 10) console.log(`${String(bytes).padStart(6)} bytes gzipped: ${name}`);
}

const core = await weigh(`export { connect } from "./dist/index.js";`);
const log = await weigh(`export { connect, eventLog } from "./dist/index.js";`);
const react = await weigh(`export { connect } from "./dist/index.js"; export * from "./dist/react.js";`);
const aiSdk = await weigh(`export { connect } from "./dist/index.js"; export * from "./dist/ai_sdk.js";`);
const agUi = await weigh(`export { connect } from "./dist/index.js"; export * from "./dist/ag_ui.js";`);

const { "shared-upkeep": upkeep = NaN, ...rare } = core.later;
const rows = [
  ["`connect`: what a page loads first", core.now, 5_000],
  ["what follows by itself after the first attempt to connect", upkeep, 3_150],
  ["`eventLog`, more", log.now - core.now],
  ["`greenroom/react` with `eventLog`, more", react.now - core.now, 2_048],
  ["`greenroom/ai-sdk` with `eventLog`, more", aiSdk.now - core.now, 5_600],
  ["`greenroom/ag-ui` with `eventLog`, more", agUi.now - core.now, 6_300],
  ["server-sent events, loaded where WebSockets fail twice, and uploads, loaded with the first file", Object.values(rare).reduce((sum, bytes) => sum + bytes)],
];
for (const [name, bytes, limit] of rows) {
  console.log(`${String(bytes).padStart(6)} bytes gzipped: ${name}${limit ? ` (at most ${limit})` : ""}`);
  if (limit && !(bytes <= limit)) process.exitCode = 1;
}

const readme = readFileSync(README, "utf8");
const line = ([name, bytes]) => `| ${name} | ${(bytes / 1_000).toFixed(1)} kB |\n`;
const table = `| | min + gzip |\n|---|---|\n${rows.map(line).join("")}`;
const numbers = (text) => [...text.matchAll(/([\d.]+) kB/g)].map(([, kilobytes]) => Number(kilobytes));
const written = numbers(readme.match(TABLE)[0]);

if (process.argv.includes("--parts")) await showParts();
if (process.argv.includes("--write")) writeFileSync(README, readme.replace(TABLE, table));
else if (numbers(table).some((kilobytes, row) => !(Math.abs(kilobytes - written[row]) < CLOSE_ENOUGH))) {
  console.error("README.md says something else: npm run size -- --write");
  process.exitCode = 1;
}
