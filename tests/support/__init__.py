"""Modules that tests import: servers, programs that tests run, values that many of them need."""
