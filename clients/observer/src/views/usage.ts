// Not built yet.

import { element, type View } from "../kit.js";

export const usage: View = {
  title: "Usage",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};
