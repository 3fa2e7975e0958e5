"""How each kind of source becomes a frozen graph; `steps.py` chooses."""
