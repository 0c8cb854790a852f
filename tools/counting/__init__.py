"""How `count` finds things that repeat: candidate masks, shapes, splitting of touching ones, the choice of the best set."""
