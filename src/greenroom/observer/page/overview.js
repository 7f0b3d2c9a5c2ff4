import { element, number, put, refreshing } from "./kit.js";

//#region src/views/overview.ts
const SECONDS = 5;
const overview = {
	title: "Overview",
	async show({ root, api, signal, ...rest }) {
		const rows = /* @__PURE__ */ new Map();
		const list = element("dl", {
			class: "gauges",
			testid: "gauges"
		});
		const look = async () => {
			const answer = await api.get("overview", signal);
			for (const [name, gauges] of Object.entries(answer.now)) for (const { labels, value } of gauges) show(`${name} ${labels.join(" ")}`.trim(), value);
			if (!list.isConnected) root.append(list);
		};
		const show = (name, value) => {
			const made = rows.get(name) ?? element("dd");
			if (!rows.has(name)) list.append(element("div", {}, element("dt", {}, name), made));
			rows.set(name, made);
			put(made, number(value));
		};
		await refreshing({
			root,
			api,
			signal,
			...rest
		}, SECONDS, look);
	}
};

//#endregion
export { overview };