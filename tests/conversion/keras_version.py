"""Prints the version of Keras, without importing it."""

from importlib.metadata import version

print(version("keras"))
