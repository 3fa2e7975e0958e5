"""The version of the package, read from here by the build and by every file that is written."""

__version__ = "0.1.0"
