// Not built yet.

import { element, type View } from "../kit.js";

export const users: View = {
  title: "User",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};
