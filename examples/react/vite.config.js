import { defineConfig } from "vite";

const server = process.env.GREENROOM_URL ?? "http://127.0.0.1:8700";
const proxy = { "/live": { target: server, ws: true }, "/demo": server };

export default defineConfig({
  resolve: { dedupe: ["react"] }, // the linked package has one of its own, for its tests
  server: { proxy },
  preview: { proxy },
});
