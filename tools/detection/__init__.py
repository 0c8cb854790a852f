"""Finding defects: without samples by statistics of the surface itself, with good samples by comparison with them."""
