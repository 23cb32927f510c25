"""Generation: context, plans, sampling, steering, best of n, endings. Pure."""
