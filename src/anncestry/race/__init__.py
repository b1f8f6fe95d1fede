"""The race: every architecture that fits the data under an equal budget, beside baselines, ranked with its
uncertainty."""
