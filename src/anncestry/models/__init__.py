"""One file per architecture. ``anncestry.timeline`` is the catalogue; nothing is imported until it is asked for."""
