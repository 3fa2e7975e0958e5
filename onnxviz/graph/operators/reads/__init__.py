"""What an operator's output positions read of its inputs, axis by axis: a rule for each operator that is understood.

The rules serve three questions: how large receptive fields are where no border is near (receptive_field.py follows the
rules forward), what exactly one position sees (region.py follows them back), and which axis of a value is what
(layouts.py). What a rule is stands in rule.py; the rules lie in the files beside it, by what the operators do; which
operator has which rule stands in the table of operators.
"""
