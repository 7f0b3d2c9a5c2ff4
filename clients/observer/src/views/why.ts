// Not built yet.

import { element, type View } from "../kit.js";

export const why: View = {
  title: "Why did the user not see it?",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};
