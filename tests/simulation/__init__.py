"""Deterministic simulation: the real daemon and both real sandboxes on a virtual clock; one seed, one history."""
