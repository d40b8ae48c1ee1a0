"""The message board: post twice, refresh, go back, and there is one message."""
