"""Recurrent networks and multi-layer perceptrons of Keras, both ways."""
