"""The model: its file, its session on a device, and the adapter for chord vocabularies."""
