"""Nightly leaderboards: one schedule file, run every night, unattended.

In reading order:

    schedule    the file -> Schedule, its models, and the plan of a night: which cells to compute, and in which order
    engines     the Protocol between a night and what computes its cells; local processes, a Ray cluster
    cell_work   the cells of a night through an engine
    night       the straight line: plan -> cells -> engine -> snapshot -> alerts -> publish -> notify
    night_state the lock, the log and the status of a night
    history     snapshots of nights on disk; what changed between two of them, and what got worse
    publish     what ends a night: pages, git, the hub, commands and webhooks

A night is safe to kill at any moment: records, snapshots and reports are written whole or not at all, and what the
next run finds missing it does. Nothing heavy is imported by a night that finds nothing to do.
"""
