// What a page loads, bundled, minified and gzipped: npm run size. Fails above the limits.

import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const OTHERS = ["ai", "react", "react/jsx-runtime"];

/** The bytes of what this statement imports; what `import()` loads later is not among them. */
async function weigh(statement) {
  const entry = { name: "entry", resolveId: (id) => (id === "entry" ? id : null), load: (id) => (id === "entry" ? statement : null) };
  const bundle = await rolldown({ input: "entry", external: OTHERS, plugins: [entry], cwd: process.cwd() });
  const { output } = await bundle.generate({ minify: true });
  const first = output.find(({ isEntry }) => isEntry);
  const now = output.filter(({ fileName }) => fileName === first.fileName || first.imports.includes(fileName));
  return gzipSync(now.map(({ code }) => code).join(""), { level: 9 }).length;
}

const core = await weigh(`export { connect } from "./dist/index.js";`);
const log = await weigh(`export { connect, eventLog } from "./dist/index.js";`);
const react = await weigh(`export { connect } from "./dist/index.js"; export * from "./dist/react.js";`);
const aiSdk = await weigh(`export { connect } from "./dist/index.js"; export * from "./dist/ai_sdk.js";`);
const sse = await weigh(`export { connect } from "./dist/index.js"; export * from "./dist/sse.js";`);

const rows = [
  ["connect", core, 7_400],
  ["eventLog, more", log - core],
  ["greenroom/react, more", react - core, 2_000],
  ["greenroom/ai-sdk, more", aiSdk - core, 5_300],
  ["greenroom/sse, loaded where WebSockets do not pass", sse - core],
];
for (const [name, bytes, limit] of rows) {
  console.log(`${String(bytes).padStart(6)} bytes gzipped: ${name}${limit ? ` (at most ${limit})` : ""}`);
  if (limit && bytes > limit) process.exitCode = 1;
}
