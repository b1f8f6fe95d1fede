"""Drawings that are computed from models and the timeline: diagrams of architectures, the family tree, the
log's graph."""
