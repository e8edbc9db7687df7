"""Makes trained models smaller and faster, and says what each step cost."""
