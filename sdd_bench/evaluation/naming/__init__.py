"""Which file of a folder is whose prediction, whatever the method's code calls its files."""
