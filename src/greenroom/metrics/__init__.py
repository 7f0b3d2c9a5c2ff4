"""Metrics: the table of what is counted, the counters, the gauges that are read at each scrape, and
the endpoint that shows them to Prometheus.
"""
