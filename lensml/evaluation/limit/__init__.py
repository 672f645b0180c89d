"""What any method can reach on one image, and what networks reach of it."""
