"""What computes the cells of a night: worker processes of this machine, or a Ray cluster."""
