"""The classes of a classifier: their names, the outputs that may hold their scores, and the strongest of a run."""
