def messages(world): pass
