"""Tests of blocking_request. The folders are those of the package; behaviour/ runs on both engines over real servers."""
