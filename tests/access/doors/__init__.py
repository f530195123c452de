"""The doors by which something can be asked for: each is asked of a world, in ways that chance chooses, and compared with the rule."""
