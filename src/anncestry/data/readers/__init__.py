"""Readers: files as they are found in the world, checked and turned into text, tables and arrays."""
