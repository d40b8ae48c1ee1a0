"""The shop in Django; its views are the same, bare and with seeother."""
