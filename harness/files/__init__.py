"""Files of the harness: atomic writes, locks, digests, cache and results folders, the run environment."""
