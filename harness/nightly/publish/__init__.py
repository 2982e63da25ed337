"""Where a night goes: site, branch, hub, hooks."""
