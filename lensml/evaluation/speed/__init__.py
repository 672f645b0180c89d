"""Speed of simulation, training and workflow on this machine."""
