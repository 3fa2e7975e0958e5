"""Which layer of one model is which of another, whatever both are called."""
