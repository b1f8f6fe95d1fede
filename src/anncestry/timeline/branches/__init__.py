"""The entries of the timeline, a module for each branch of the family."""
