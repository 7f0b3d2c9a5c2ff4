"""What is the same in the faces of every host: facts that are read, and blocks as they are made."""
