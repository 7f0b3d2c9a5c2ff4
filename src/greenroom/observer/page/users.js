import { element } from "./kit.js";

//#region src/views/users.ts
const users = {
	title: "User",
	show: ({ root }) => root.append(element("p", {}, "This view is not built yet."))
};

//#endregion
export { users };