"""Fork, exit, pickles for other processes, frozen programs."""
