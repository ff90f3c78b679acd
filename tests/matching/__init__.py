"""Matching judged: invented lists with hard cases, the public FEBRL sets, and what they come to."""
