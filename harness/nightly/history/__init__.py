"""The history of nights: snapshots, the changes between two of them, alerts, reports."""
