"""Several users' messages as one: what they have in common once, what is each one's own for each.

The common part of correlated messages is the idea of Gray and Wyner (1974); the formulae here are ours.
"""
