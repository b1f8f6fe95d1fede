"""Recurrence as an algebra: cells do one step, wirings make networks of any cell."""
