"""One file per architecture; ``anncestry.timeline`` is the catalogue."""
