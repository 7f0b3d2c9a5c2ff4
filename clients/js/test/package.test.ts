// What is published: the built files that its entries need, and nothing of how it is made.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { INTERNAL } from "../scripts/internal.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
interface Manifest { exports: Record<string, string>; dependencies?: object; peerDependencies: object }
const { exports, dependencies, peerDependencies } = JSON.parse(read("package.json")) as Manifest;
const entries = Object.values(exports).map((path) => path.slice(2));
const published = (): string[] =>
  (JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })) as [{ files: { path: string }[] }])[0]
    .files.map(({ path }) => path);

describe.skipIf(!existsSync(join(ROOT, "dist")))("the package", () => {
  const files = published();

  it("has its entries, their types, and no sources or tests", () => {
    expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", ...entries]));
    for (const entry of entries.filter((path) => path.endsWith(".js"))) expect(files).toContain(entry.replace(/\.js$/, ".d.ts"));
    expect(files.filter((path) => !/^(dist\/[\w.-]+\.(js|d\.ts)|LICENSE|README\.md|package\.json)$/.test(path))).toEqual([]);
  });

  it.each(entries.filter((path) => path.endsWith(".js")))("has the types of what its entry exports: %s", (entry) => {
    const source = read(entry.replace("dist/", "src/").replace(/\.js$/, ".ts"));
    expect(exported(read(entry.replace(/\.js$/, ".d.ts")))).toEqual(exported(source));
  });

  it("has every file that another one imports, and depends on no other package but optional peers", () => {
    const imported = files.filter((path) => path.startsWith("dist/")).flatMap((path) =>
      [...read(path).matchAll(/(?:from|import)\s*\(?\s*["'`]([^"'`]+)["'`]/g)].map(([, name]) => (name?.startsWith(".") ? join(dirname(path), name) : name)));
    const missing = imported.filter((name) => !files.includes(name?.replace(/\.js$/, ".d.ts") ?? "") && !files.includes(name ?? ""));
    const isPeer = (name = "") => Object.keys(peerDependencies).some((peer) => name === peer || name.startsWith(`${peer}/`));
    expect(missing.filter((name) => !isPeer(name))).toEqual([]);
    expect(dependencies).toBeUndefined();
  });
});

describe.skipIf(!existsSync(join(ROOT, "dist")))("a name that is short in what is built", () => {
  const types = published().filter((path) => path.endsWith(".d.ts")).map(read).join("");
  const wire = readFileSync(join(ROOT, "../../docs/protocol.md"), "utf8");
  const built = published().filter((path) => /^dist\/.*[^d]\.js$/.test(path)).map(read).join("");

  it.each(INTERNAL)("is neither public, nor of the wire, nor in a string: %s", (name) => {
    expect(new RegExp(`\\b${name}\\b *[?(:<]`).test(types)).toBe(false);
    expect(new RegExp(`["\`]${name}["\`]`).test(wire)).toBe(false);
    expect(new RegExp(`["\`'.]${name}\\b`).test(built)).toBe(false);
  });
});

/** The names that a module exports. */
function exported(text: string): string[] {
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) => (names ?? "").split(","));
  const declared = [...text.matchAll(/^export (?:const|class|function|interface|type) (\w+)/gm)].map(([, name]) => name ?? "");
  const named = lists.map((name) => name.trim().replace(/^type /, "").replace(/^.* as /, "")).filter(Boolean);
  return [...named, ...declared].sort();
}
