"""Turn-taking: the performer's phrases, what ends a turn, and the modes. Pure."""
