"""Kernels in C++ for what a chain of PyTorch operators does slowly, each with a plain twin beside it.

A kernel is worth its lines where several operators read and write the same numbers one after the other, or
where an operator is not made for what is asked of it (one query, short texts). Products of large matrices
stay with PyTorch. Nothing here is needed: without a compiler the plain twins compute the same.
"""
