"""What a command over inputs leaves behind: a folder, its record, arrays, a page, and news for an observer."""
