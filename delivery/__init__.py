"""Floor 3: delivery. Ids, events, runs, outbox, receipts, user actors, journals."""
