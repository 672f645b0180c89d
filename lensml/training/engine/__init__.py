"""What every training shares: loop, order, optimiser, checkpoints, records, devices."""
