"""The generators of the data files that are made from mteb and committed.

`python -m tests.generators` writes them; run it after a change of mteb's version and commit the files: the oracle tests
fail until they agree with the installed mteb. The same version of mteb gives the same bytes.
"""
