"""Floor 1: actors. Mailboxes, refs, the actor loop, declared machines, timers, probes.

Knows no users, sockets or disks.
"""
