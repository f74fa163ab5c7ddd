"""Tests of blocking_request: folders as in the package, and behaviour/ over real servers on every engine."""
