// Chunks as the AI SDK reads them: as fast as it takes them.

import type { Client } from "../client.js";
import { followRun } from "../projection/follow.js";
import { type Chunk, Chunks } from "./chunks.js";

/** The answer of a run from its beginning, to its end or until the signal is aborted. */
export async function chunkStream(client: Client, run: string, signal?: AbortSignal): Promise<ReadableStream<Chunk>> {
  const followed = await followRun(client, run);
  signal?.addEventListener("abort", () => void followed.return?.());
  const chunks = chunksOf(run, followed);
  return new ReadableStream<Chunk>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await followed.return?.();
    },
  });
}

async function* chunksOf(run: string, followed: AsyncIterable<readonly Parameters<Chunks["of"]>[0][]>): AsyncGenerator<Chunk, undefined> {
  const chunks = new Chunks(run);
  yield* chunks.begin();
  for await (const events of followed) for (const event of events) yield* chunks.of(event);
}
