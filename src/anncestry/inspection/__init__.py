"""Looking at a model from outside: what it costs, and whether it keeps the promises of its kind."""
