"""The command line: thin shells over the package. Nothing imports them."""
