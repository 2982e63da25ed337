"""Records into what people read: pure `render(...) -> str` functions."""
