"""Files of weights: ours (``store``), and those of other programs (``converters``)."""
