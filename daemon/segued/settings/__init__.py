"""The settings: all options together, config.yaml, and the file of learned mappings."""
