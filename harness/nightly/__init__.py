"""Nightly leaderboards: one plan file, run every night, unattended.

In reading order:

    plan_file       NIGHTLY.yaml -> Plan, every defect at once
    entries         the plan's models -> resolved ModelSpecs
    cells           models x precisions x tasks x parts, minus what is recorded
    order           what to run first, and how long it may take
    engine          the Protocol between a night and what computes its cells
    local, ray_engine   the two engines; `supervisor` and `worker` are the process that both give their cells to
    compute, shards what a worker does with a cell, or with a piece of one
    night           the straight line: cells -> engine -> snapshot -> alerts -> publish -> notify
    state           the lock, the log and the status of a night
    history         snapshots of nights on disk
    changes         two nights -> what changed in scores, and in the world
    alerts          changes -> what got worse
    report          a night in Markdown and JSON
    publish, notify files, git, the hub; commands and webhooks
    starter         what `harness nightly init` writes

A night is safe to kill at any moment: records, snapshots and reports are written whole or not at all, and what the
next run finds missing it does. Nothing heavy is imported by a night that finds nothing to do.
"""
