import { element } from "./kit.js";

//#region src/views/why.ts
const why = {
	title: "Why did the user not see it?",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};

//#endregion
export { why };