import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const REACT_18 = { react: "react-18", "react-dom": "react-dom-18" };

/** What clients load later is there at once: an import takes real time, and most tests have a fake clock. */
const atOnce: Plugin = {
  name: "at once",
  enforce: "pre",
  transform(code, id) {
    if (!/\/js\/src\/.*\.ts$/.test(id)) return undefined;
    const now: string[] = [];
    const later = code.replace(/\bimport\(("[^"]+")\)/g, (_, path) => `Promise.resolve(later${now.push(`import * as later${now.length} from ${path};`) - 1})`);
    return now.length ? { code: now.join(" ") + later, map: null } : undefined;
  },
};

export default defineConfig({
  plugins: [atOnce],
  test: {
    testTimeout: 60_000, // how long the slowest machine may take: a server starts in some of them, and is killed and started again
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "all", include: ["test/**/*.test.{ts,tsx}"] } },
      {
        extends: true,
        resolve: { alias: REACT_18 },
        test: { name: "React 18", include: ["test/**/react*.test.tsx"], setupFiles: "test/react_18.ts", env: { REACT: "18" } },
      },
    ],
  },
});
