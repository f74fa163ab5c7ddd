"""BlockingNetworkRequest, its options and its streams."""
