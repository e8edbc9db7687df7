"""Where live results go: files, clips, brokers, and several of them at once."""
