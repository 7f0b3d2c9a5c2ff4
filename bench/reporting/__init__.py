"""What the report runs, and how its figures become a page and a chart."""
