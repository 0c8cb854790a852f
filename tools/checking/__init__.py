"""How `check_image` judges a picture: what its result says, the limits, and one function an aspect."""
