"""Machines: property tests, exhaustive exploration and transition coverage of declared state
machines, with the shortest failing sequence of events.
"""
