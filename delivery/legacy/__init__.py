"""Ids of older systems: parsing them, and explaining them."""
