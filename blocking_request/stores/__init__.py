"""What outlives a call and is shared by threads: cookies, credentials, hosts with strict transport security."""
