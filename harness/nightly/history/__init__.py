"""What nights left: snapshots, what changed between two of them, alerts, reports."""
