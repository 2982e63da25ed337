"""Recorded results to a ranked leaderboard.

From files to rows, in reading order:

    file_summary       the bytes of a file -> its task and main scores
    folder_owners      a folder of results -> the model that it belongs to
    index_columns      summaries as columns
    reader_processes   many files read at once
    file_index         a results folder -> columns, stored and updated
    counted_tasks      which tasks and parts count
    record_choice      which file counts for a model on a task
    score_matrix       the files as (models, tasks) scores, with the reason for every gap
    ranking            means, Borda points, ranks
    model_facts        revisions, metadata and speed of a model
    board              all of it: `build`
    board_values       a leaderboard as values: nested for JSON, flat for tables
    resampled_scores   scores of resampled items
    uncertainty        intervals, rank intervals, tie groups
    comparison         two models, task by task
    pairwise           three or more models, each pair compared
    api                `harness.rank` and `harness.compare`
"""
