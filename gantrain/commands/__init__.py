"""What each word on the command line does."""
