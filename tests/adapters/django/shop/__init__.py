"""A shop that takes orders, in Django as everybody writes it: nothing here knows of seeother."""
