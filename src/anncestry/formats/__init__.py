"""Containers of other programs, read without them: protocol buffers, TensorFlow's checkpoints, HDF5, Keras,
CTranslate2, SentencePiece."""
