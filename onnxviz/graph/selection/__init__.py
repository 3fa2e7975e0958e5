"""The selection language: a text such as `conv[0], pool` becomes values of the graph."""
