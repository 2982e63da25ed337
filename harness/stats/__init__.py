"""Statistics of scores: intervals, paired tests, corrections, rank intervals (pure numpy).

    bootstrap     resampling: intervals of one score, of means over tasks
    paired        two models on the same items or tasks
    multiple      Holm's correction
    ranks         rank intervals and tie groups
    tied_ranks    ranks of values of which some are equal

Every function that draws takes a seed and makes its own generator: equal input gives equal output, bit for bit.
"""
