"""Whether an image is one that networks of a domain were trained for: facts, and a verdict."""
