"""A run from request to records: request -> plan -> cells -> measured parts -> records."""
