"""What is computed in C: plain functions in a shared library, called through ctypes.

The library needs no Python headers and no version of Python. It is built when the project is
installed, or in a stage of an image; where it is missing, NumPy computes the same.
"""
