"""What comes in on its way to the player, what goes out on its way to the wire. Pure."""
