"""Folders of Hugging Face's transformers and of sentence-transformers, both ways.

What differs between architectures stands in tables of their tensor names: ``bert_variant_rows`` and
``other_encoder_rows``.
"""
