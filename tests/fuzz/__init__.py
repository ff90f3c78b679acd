"""Decoders of foreign bytes, tried with bytes that nobody meant: each has one error of its own, in bounded time and size."""
