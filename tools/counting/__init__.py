"""How `count` finds things that repeat: candidate masks, shapes, splitting, the choice of the best set."""
