"""The model: its file, its session on a device, and what the settings name."""
