"""Layers of networks that read or draw images."""
