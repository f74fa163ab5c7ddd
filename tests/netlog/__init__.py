"""Tests of the network log."""
