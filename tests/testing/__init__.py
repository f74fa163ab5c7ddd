"""Tests of ``blocking_request.testing``."""
