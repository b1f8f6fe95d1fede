"""The work that is timed, a module for each part of the table: what is set up, by whom, at which size."""
