"""The operating system: priorities, locked memory, folders, and the files of the package."""
