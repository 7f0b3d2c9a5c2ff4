// A real `greenroom serve`, and a wire to it that can be cut.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

const SECRET = "a secret of more than thirty-two bytes";
const COUNTING = `
import greenroom, hashlib, trio

@greenroom.agent(takes=("text", greenroom.Files(types=["text/*"])))
async def agent(run, said):
    for file in await run.files():
        await run.partial_result(text=f"{file.name} {hashlib.sha256(await run.read_file(file)).hexdigest()}")
    for number in range(said["count"]):
        await run.partial_result(text=f"{number} ")
    if said.get("waits"):
        await trio.sleep_forever()
`;

export const hasGreenroom = spawnSync("python", ["-c", "import greenroom.command_line"]).status === 0;

export class LiveServer {
  readonly #folder = mkdtempSync(join(tmpdir(), "greenroom-js-"));
  readonly #agent: string;
  #process: ChildProcess | undefined;
  port = 0;

  constructor(agent = COUNTING) {
    this.#agent = agent;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** It prints where it is, once it is up. */
  async start(): Promise<void> {
    this.port ||= await freePort();
    writeFileSync(join(this.#folder, "app.py"), this.#agent);
    const command = ["-m", "greenroom", "serve", "app:agent", "--port", String(this.port)];
    this.#process = spawn("python", command, { cwd: this.#folder, env: { ...process.env, GREENROOM_SECRET: SECRET }, stdio: ["ignore", "pipe", "ignore"] });
    await once(this.#process.stdout as Readable, "data");
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }
}

export function token(user: string, seconds = 600): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, exp: Math.floor(Date.now() / 1_000) + seconds })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A port that leads to another, until it is cut. */
export class Wire {
  readonly #sockets = new Set<Socket>();
  readonly #server;

  constructor(target: () => number) {
    this.#server = createServer((near) => {
      const far = connect(target(), "127.0.0.1");
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => this.#close(near, far));
      }
      near.pipe(far).pipe(near);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #close(...sockets: Socket[]): void {
    for (const socket of sockets) {
      socket.resetAndDestroy(); // after a mere end `fetch` in Node 20 waits on
      this.#sockets.delete(socket);
    }
  }
}
