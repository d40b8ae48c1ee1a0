"""Apps that show what seeother does."""
