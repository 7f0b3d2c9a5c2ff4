// What waits for a reader is bounded, but for what was there when it began to read.

import { expect, it } from "vitest";
import { EventStream } from "../src/event_stream.js";

const MANY = Array.from({ length: 10_000 }, (_, index) => index);

async function read(stream: EventStream<number>): Promise<number[]> {
  const items: number[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

it("gives all that is known when it is begun to be read, however much that is", async () => {
  const stream = new EventStream<number>((begun) => (begun.push(MANY), () => {}));
  stream.end();
  expect(await read(stream)).toEqual(MANY);
});

it("gives a reader that lets too much wait an error in place of what it missed", async () => {
  const stream = new EventStream<number>((begun) => (begun.push(MANY), () => {}));
  stream.push([10_000]);
  await expect(read(stream)).rejects.toMatchObject({ code: 4103, temporary: true });
});
