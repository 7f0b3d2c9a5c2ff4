import { element } from "./kit.js";

//#region src/views/usage.ts
const usage = {
	title: "Usage",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};

//#endregion
export { usage };