"""The shops. Each is a form, a view that stores an order, and a page that says thank you."""
