"""Files that users send with what they say: taken in parts, kept with the message."""
