import { transform } from "esbuild";
import { defineConfig, type Rolldown } from "tsdown";
import { INTERNAL, SHORT } from "./scripts/internal.js";

const mangleProps = new RegExp(`^(${INTERNAL.join("|")})$`);

const shortNames: Rolldown.Plugin = {
  name: "short names",
  async renderChunk(code, { fileName }) {
    if (!fileName.endsWith(".js")) return null;
    return (await transform(code, { mangleProps, mangleCache: SHORT, target: "es2022", format: "esm" })).code;
  },
};

export default defineConfig({
  entry: ["src/index.ts", "src/react.ts", "src/ai_sdk.ts", "src/ag_ui.ts", "src/sse.ts"],
  format: "esm",
  platform: "browser",
  target: "es2022",
  dts: true,
  minify: true,
  hash: false,
  plugins: [shortNames],
  outputOptions: {
    chunkFileNames: "shared-[name].js", // not the name of an entry: the types of both are written
    codeSplitting: { groups: [{ name: "events", test: /protocol\/events\.ts$/ }, { name: "client", test: /src\/client\.ts$/ }] }, // with all that it needs at once
  },
  inputOptions: { optimization: { inlineConst: { mode: "all", pass: 2 } } },
});
