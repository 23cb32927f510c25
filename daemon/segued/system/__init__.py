"""What the operating system gives: priorities, locked memory, the files of the package."""
