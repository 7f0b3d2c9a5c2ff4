"""Events: their ids, kinds and records, the drafts they begin as, the policies they end by."""
