"""Publishing a night: its site, a git branch, the hub, and hooks."""
