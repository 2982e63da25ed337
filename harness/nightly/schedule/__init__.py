"""The schedule of a night: its file, its models, and the cells that are to be computed."""
