// Into the folder that a server serves. What is built is committed, so that neither pip nor a clone needs Node. Each part is one
// file to read: the client, which pages of others can import, the parts that are tested by themselves, and the page.

import { defineConfig, type UserConfig } from "tsdown";

const PARTS = ["chart", "marked", "paste"];
const sdk = new URL("../js/src/index.ts", import.meta.url).pathname;

const part = (name: string, more: UserConfig): UserConfig => ({
  entry: [`src/${name}.ts`],
  outDir: "../../transport/page",
  clean: false,
  format: "esm",
  platform: "browser",
  target: "es2022",
  dts: false,
  minify: false,
  hash: false,
  outputOptions: { codeSplitting: false },
  ...more,
});

export default defineConfig([
  part("client", { alias: { greenroom: sdk } }),
  ...PARTS.map((name) => part(name, {})),
  part("app", {
    deps: { neverBundle: PARTS.map((name) => `./${name}.js`) },
    plugins: [{ name: "client", resolveId: (id) => (id === "greenroom" ? { id: "./client.js", external: true } : null) }],
  }),
]);
