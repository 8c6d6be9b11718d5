"""Frauds: each type of the screening contract is one population, its variants are its keys.

`variant` in a scenario file is a free word that goes into the labels, so that a held-out variant can be told apart.
`through` puts the calls on the trunk of an honest population: same address, same style, honest calls between them.
"""
