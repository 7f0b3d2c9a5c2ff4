"""How appends of many callers become few commits: the journal's thread, its pace and its groups."""
