"""From sources to an immutable snapshot: transforms, validation, statistics."""
