"""What every journal keeps beside events and their delivery."""
