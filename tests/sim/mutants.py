class Mutant: pass
