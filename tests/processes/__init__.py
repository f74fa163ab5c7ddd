"""Tests of fork, interpreter exit, pickles for other processes, and frozen programs."""
