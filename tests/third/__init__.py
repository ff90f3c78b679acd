"""A third vendor, invented: Ledger, a minimal billing system. Its folder, its sandbox and its row are all that it needs."""
