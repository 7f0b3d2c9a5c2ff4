// Where the server is asked: beside the page, wherever that is mounted.

/** The address of a path relative to `admin/`. */
export const adminUrl = (path: string): URL => new URL(path, new URL("../admin/", document.baseURI));
