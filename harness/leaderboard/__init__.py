"""Recorded results to a ranked leaderboard.

The line from files to rows, in reading order:

    summary       one file's bytes -> its task and main scores
    folders       a results folder -> its files, with keys that tell changes, and their owners
    columns       summaries as columns; workers read many files at once
    index         a results folder -> columns, kept and brought up to date
    scope         which tasks and parts count
    selection     which file stands for a model on a task
    matrix        the files as (models, tasks) scores, with the reason of every gap
    ranking       means, Borda points, ranks
    known_of      revisions, metadata and speed of a model
    board         all of it: `build`
    uncertainty   intervals, rank intervals, tie groups
"""
