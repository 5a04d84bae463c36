"""The oracle: the whole list in plain form, and what a right answer would be.

It is written straight from the rules in another style than the product, so that one misreading does not hide in both.
It imports nothing from the product and trusts nothing the product wrote: it reads the intake lines themselves.
It keeps names and numbers as given, which is why it lives in the tests and only ever sees sandbox identities.
"""
