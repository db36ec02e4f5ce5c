"""Stand-ins for the official images, for machines that cannot pull any."""
