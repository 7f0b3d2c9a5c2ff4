"""What a user actor learns of the other nodes that share the journal."""
