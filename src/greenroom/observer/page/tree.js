import { element } from "./kit.js";

//#region src/views/tree.ts
const tree = {
	title: "Tree",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};
const node = {
	title: "Node",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};

//#endregion
export { node, tree };