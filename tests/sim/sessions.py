def merging(world): pass
