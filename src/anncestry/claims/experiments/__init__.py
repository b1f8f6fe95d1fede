"""An experiment for each claim, in a module of the claim's name."""
