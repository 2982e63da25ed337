"""Tasks and suites by name: strict YAML, task files, suites, languages."""
