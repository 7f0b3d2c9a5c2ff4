// What the views share.

export * from "../../page/src/dom.js";
export * from "./admin_url.js";
export * from "./asking_twice.js";
export * from "./downloads.js";
export * from "./fresh.js";
export * from "./refreshing.js";
export * from "./texts.js";
export * from "./view.js";
