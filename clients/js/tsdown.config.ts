import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/react.ts", "src/ai_sdk.ts", "src/ag_ui.ts", "src/sse.ts"],
  format: "esm",
  platform: "browser",
  target: "es2022",
  dts: true,
  minify: true,
  hash: false,
  outputOptions: { chunkFileNames: "shared-[name].js" }, // not the name of an entry: the types of both are written
  inputOptions: { optimization: { inlineConst: { mode: "all", pass: 2 } } },
});
