import { defineConfig } from "vitest/config";

const REACT_18 = { react: "react-18", "react-dom": "react-dom-18" };

export default defineConfig({
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
