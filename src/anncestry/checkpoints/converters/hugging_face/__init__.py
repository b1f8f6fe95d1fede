"""Folders of Hugging Face's transformers and of sentence-transformers, both ways; tensor names stand in
tables."""
