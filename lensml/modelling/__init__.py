"""Models of single observed lenses at their own pixels: light, mass and a source of pixels."""
