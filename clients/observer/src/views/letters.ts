// Not built yet.

import { element, type View } from "../kit.js";

export const letters: View = {
  title: "Dead letters",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};
