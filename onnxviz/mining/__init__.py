"""What each channel of a model responds to in a data set: its strongest places, and statistics."""
