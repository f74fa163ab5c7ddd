"""BlockingNetworkRequest, its options and streams."""
