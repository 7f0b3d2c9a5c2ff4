import { element } from "./kit.js";

//#region src/views/letters.ts
const letters = {
	title: "Dead letters",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};

//#endregion
export { letters };