// Not built yet.

import { element, type View } from "../kit.js";

export const tree: View = {
  title: "Tree",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};

export const node: View = {
  title: "Node",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};
