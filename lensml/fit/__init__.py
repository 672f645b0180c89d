"""Smooth lenses fitted to images, what they leave over, and the potential that explains it."""
