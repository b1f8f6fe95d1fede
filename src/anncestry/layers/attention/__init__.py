"""Layers of Transformers: attention, its cache, positions, embeddings, blocks."""
