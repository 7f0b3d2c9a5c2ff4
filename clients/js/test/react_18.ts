// What `react-dom-18` requires by the name of `react` is React 18, too.

import Module from "node:module";

type Resolve = (name: string, ...rest: unknown[]) => string;

const loader = Module as unknown as { _resolveFilename: Resolve };
const resolve = loader._resolveFilename;
loader._resolveFilename = (name, ...rest) => resolve.call(loader, name.replace(/^react(-dom)?(?=$|\/)/, "react$1-18"), ...rest);
