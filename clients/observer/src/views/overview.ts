// What the server does now.

import { element, type Fields, number, put, refreshing, type View } from "../kit.js";

interface Gauge {
  readonly labels: readonly string[];
  readonly value: number;
}

const SECONDS = 5;

export const overview: View = {
  title: "Overview",
  async show({ root, api, signal, ...rest }) {
    const rows = new Map<string, HTMLElement>();
    const list = element("dl", { class: "gauges", testid: "gauges" });
    const look = async (): Promise<void> => {
      const answer = await api.get<{ readonly now: Readonly<Record<string, readonly Gauge[]>> } & Fields>("overview", signal);
      for (const [name, gauges] of Object.entries(answer.now))
        for (const { labels, value } of gauges) show(`${name} ${labels.join(" ")}`.trim(), value);
      if (!list.isConnected) root.append(list);
    };
    const show = (name: string, value: number): void => {
      const made = rows.get(name) ?? element("dd");
      if (!rows.has(name)) list.append(element("div", {}, element("dt", {}, name), made));
      rows.set(name, made);
      put(made, number(value));
    };
    await refreshing({ root, api, signal, ...rest }, SECONDS, look);
  },
};
