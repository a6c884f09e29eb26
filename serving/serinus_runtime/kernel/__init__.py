"""What is computed in C: plain functions in a shared library, called through ctypes.

The library needs no Python headers and no version of Python. It is built when the project is
installed, or in a stage of an image; where it is missing, NumPy computes the same.

C checks a client's bytes and nothing else: what it gets from Python is checked there, before. Tests
play its laws with sanitizers (`test_memory_safety.py`).
"""
