"""Who a client is: `tokens` checks a JSON Web Token, `keys` holds and reloads the keys for it."""
