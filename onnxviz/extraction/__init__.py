"""`extract`: what layers make of every picture of a data set, as arrays on disk."""
