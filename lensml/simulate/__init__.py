"""From priors to lens systems, noise-free images and noisy images."""
