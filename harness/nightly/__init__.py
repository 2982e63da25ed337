"""Nightly leaderboards: one schedule file, run every night, unattended.

In reading order:

    schedule    the file -> Schedule, its models, and the plan of a night: which cells to compute, and in which order
    engines     the Protocol that every engine follows, and two engines: local processes, a Ray cluster
    cell_work   gives the cells of a night to an engine and records what it returns
    night       one night from start to end: plan -> cells -> engine -> snapshot -> alerts -> publish -> notify
    night_state the lock, the log and the status of a night
    history     snapshots of nights on disk, the changes between two of them, and alerts about lower scores
    publish     the closing steps of a night: pages, git, the hub, commands and webhooks

A night can be killed at any moment: records, snapshots and reports are written whole or not at all, and the next run
does what is missing. A night with nothing to do imports nothing heavy.
"""
