// Not built yet.

import { element, type View } from "../kit.js";

export const runs: View = {
  title: "Run",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};
