"""Admin: the endpoints that show a running server to holders of the admin token and settle its dead
letters, and the client with which commands ask them.
"""
