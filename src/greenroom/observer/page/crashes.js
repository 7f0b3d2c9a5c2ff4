import { element } from "./kit.js";

//#region src/views/crashes.ts
const crashes = {
	title: "Crashes",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};
const crash = {
	title: "Crash",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};

//#endregion
export { crash, crashes };