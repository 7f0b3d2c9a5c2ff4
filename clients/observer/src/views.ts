// Which view an address shows: `#/name`, or `#/name/…` for `name/*`.

import type { View } from "./kit.js";
import { crash, crashes } from "./views/crashes.js";
import { letters } from "./views/letters.js";
import { overview } from "./views/overview.js";
import { runs } from "./views/runs.js";
import { node, tree } from "./views/tree.js";
import { usage } from "./views/usage.js";
import { userList, users } from "./views/users.js";
import { why } from "./views/why.js";

export const VIEWS: Readonly<Record<string, View>> = {
  "": overview,
  tree,
  "tree/*": node,
  crashes,
  "crashes/*": crash,
  letters,
  usage,
  users: userList,
  "users/*": users,
  "runs/*": runs,
  "why/*": why,
};

/** Those of the navigation, in order. */
export const NAVIGATION: readonly string[] = ["", "tree", "users", "crashes", "letters", "usage"];
