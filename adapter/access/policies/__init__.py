"""What each role sees, one file each: `adapter.access.policy`."""
