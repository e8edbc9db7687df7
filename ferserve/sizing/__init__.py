"""How many cameras a server holds, and what a fleet of them needs: from unit costs and a queueing model."""
