"""From models and stores to predictions, scores and tables with intervals."""
