"""What can be changed while it plays, and by which controller: knobs, mappings, learning. Pure."""
