// Tables on their way in: read, measured, and packed when they would not fit a frame.

import { shapeOf } from "./paste.js";

const PLAIN_AT_MOST = 24 * 1024; // bytes sent as they are; larger ones are packed
const PACKED_AT_MOST = 60 * 1024; // bytes of base64: a frame holds 64 KiB, with the question
const UNPACKED_AT_MOST = 8 * 1024 * 1024; // what the agent unpacks

/** As it goes with a question. A type, not an interface: it is JSON. */
export type Table = {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
} & ({ readonly csv: string } | { readonly gzip: string });

export class TableRefused extends Error {}

export async function packTable(name: string, text: string): Promise<Table> {
  if (!text.trim()) throw new TableRefused(`${name} is empty.`);
  if (text.slice(0, 4096).includes("\0")) throw new TableRefused(`${name} is not a text file. Save it as CSV and try again.`);
  const size = new TextEncoder().encode(text).length;
  if (size > UNPACKED_AT_MOST) throw new TableRefused(`${name} is ${megabytes(size)}; the most that can be read is 8 MB.`);
  const shape = shapeOf(text);
  if (size <= PLAIN_AT_MOST) return { name, csv: text, ...shape };
  const packed = await gzip(text);
  if (packed.length > PACKED_AT_MOST)
    throw new TableRefused(`${name} is too large to send, even compressed (${Math.ceil(packed.length / 1024)} KB; the limit is 60 KB). Try with fewer rows or columns.`);
  return { name, gzip: packed, ...shape };
}

const megabytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MB`;

/** “1 row × 2 columns” */
export const shapeText = ({ rows, columns }: Pick<Table, "rows" | "columns">): string => `${counted(rows, "row")} × ${counted(columns, "column")}`;
const counted = (n: number, what: string): string => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

async function gzip(text: string): Promise<string> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

/** A file's text by its byte order mark, else UTF-8, else what spreadsheets on Windows write. */
export async function readFile(file: File): Promise<string> {
  if (file.size > UNPACKED_AT_MOST) throw new TableRefused(`${file.name} is ${megabytes(file.size)}; the most that can be read is 8 MB.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const [a, b] = bytes;
  if (a === 0xff && b === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (a === 0xfe && b === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

const SERVICES: readonly (readonly [service: string, team: string, cost: number])[] = [
  ["Compute", "North", 4200], ["Storage", "North", 1350], ["Database", "South", 2600], ["Network", "South", 880], ["Email", "West", 240],
];

/** Half a year of a small company's cloud bill; one invoice went wrong. */
export function sampleTable(): string {
  const rows = ["month,service,team,cost,requests"];
  for (let month = 1; month <= 6; month += 1)
    SERVICES.forEach(([service, team, cost], i) => {
      const growth = 1 + 0.035 * month * (i % 2 ? 0.4 : 1) + ((month * 7 + i * 3) % 5) / 100;
      const wrong = service === "Network" && month === 4 ? 4.6 : 1;
      rows.push(`2026-0${month}-01,${service},${team},${(cost * growth * wrong).toFixed(2)},${Math.round(cost * growth * 31)}`);
    });
  return rows.join("\n") + "\n";
}
