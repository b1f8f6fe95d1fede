"""Layers of encoder-decoders: alignment, readouts, teacher forcing."""
