"""A model on its inputs: run, drawn and let go piece by piece; pictures, overview and record."""
