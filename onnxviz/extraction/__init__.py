"""`extract`: what layers make of a data set, on disk."""
