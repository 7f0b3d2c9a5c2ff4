// Not built yet.

import { element, type View } from "../kit.js";

export const crashes: View = {
  title: "Crashes",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};

export const crash: View = {
  title: "Crash",
  show: ({ root }) => root.append(element("p", {}, "This view is not built yet.")),
};
