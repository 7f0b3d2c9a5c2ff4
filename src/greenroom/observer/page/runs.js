import { element } from "./kit.js";

//#region src/views/runs.ts
const runs = {
	title: "Run",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};

//#endregion
export { runs };