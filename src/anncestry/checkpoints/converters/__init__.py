"""One file per foreign source of weights, each in both directions. Foreign names live here alone."""
