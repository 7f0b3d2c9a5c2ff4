// Into the folder that a server serves; what is built is committed, as for ../page. Each part is one file to read: what all
// views share, each view, and the frame around them.

import { defineConfig, type UserConfig } from "tsdown";

const VIEWS = ["overview", "tree", "crashes", "letters", "usage", "users", "runs", "why"];
const PARTS = [/^\.\.?\/(kit\.js)$/, /^\.\/views\/(\w+\.js)$/];

/** The parts stand beside each other, and import each other. */
const partOf = (id: string): string | undefined => PARTS.map((pattern) => pattern.exec(id)?.[1]).find(Boolean);

const part = (name: string, source: string): UserConfig => ({
  entry: { [name]: source },
  outDir: "../../src/greenroom/observer/page",
  clean: false,
  format: "esm",
  platform: "browser",
  target: "es2022",
  dts: false,
  minify: false,
  hash: false,
  outputOptions: { codeSplitting: false },
  plugins: [{ name: "parts", resolveId: (id) => (partOf(id) ? { id: `./${partOf(id)}`, external: true } : null) }],
});

export default defineConfig([
  part("kit", "src/kit.ts"),
  ...VIEWS.map((name) => part(name, `src/views/${name}.ts`)),
  part("app", "src/app.ts"),
]);
