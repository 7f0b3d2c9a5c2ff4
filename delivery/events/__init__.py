"""Events: their ids, kinds, drafts, records and delivery policies."""
