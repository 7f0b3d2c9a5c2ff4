"""Drawing: state machines as layered SVG pictures, made from their tables alone."""
