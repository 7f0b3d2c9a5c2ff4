"""What Redis does in one step, in Lua. Every script looks at the fence before it writes."""

from __future__ import annotations

from typing import Final

# KEYS: the journal's hash, the lease. ARGV: holder, its name, the lease in ms, an epoch for a new
# journal. Answers the fence, or who holds the lease and for how many ms.
TAKE: Final = """
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[1] then
    return {'held', redis.call('HGET', KEYS[1], 'name'), redis.call('PTTL', KEYS[2])}
end
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[4])
redis.call('HSETNX', KEYS[1], 'version', '1')
redis.call('HSETNX', KEYS[1], 'commit', '0')
redis.call('HSETNX', KEYS[1], 'append', '')
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'name', ARGV[2])
redis.call('HDEL', KEYS[1], 'unused')
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'fence', 1)
local found = redis.call('HMGET', KEYS[1], 'fence', 'epoch', 'version', 'commit', 'number')
return {'taken', found[1], found[2], found[3], found[4], found[5]}
"""

# KEYS as above. ARGV: holder, the lease in ms. A new fence refuses what is still under way from an
# earlier connection of the same holder.
AGAIN: Final = """
local found = redis.call('HMGET', KEYS[1], 'holder', 'epoch', 'commit', 'append')
if found[1] ~= ARGV[1] then return {'lost', found[2]} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
return {'taken', fence, found[2], found[3], found[4]}
"""

# KEYS as above. ARGV: holder, the lease in ms.
RENEW: Final = """
local found = redis.call('HMGET', KEYS[1], 'holder', 'epoch', 'commit')
if found[1] ~= ARGV[1] then return {'lost', found[2]} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'taken', found[2], found[3]}
"""

# KEYS as above. ARGV: holder.
GIVE_UP: Final = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return {'given up'}
"""

# KEYS: the journal's hash, then that of each change. ARGV: fence, the commit before this one, the
# id of this one, the number of its last record or nothing, the number of removals, then a field for
# each removal, then a field and a row for each other change. Removals come first: they are possible
# where Redis has no memory left, and so is what follows them.
COMMIT: Final = """
local found = redis.call('HMGET', KEYS[1], 'fence', 'commit', 'append')
if found[1] ~= ARGV[1] then return {'fenced'} end
if found[3] == ARGV[3] then return {'kept'} end
if found[2] ~= ARGV[2] then return {'behind', found[2]} end
local removals = tonumber(ARGV[5])
for n = 1, removals do redis.call('HDEL', KEYS[1 + n], ARGV[5 + n]) end
local at = 6 + removals
for n = 2 + removals, #KEYS do
    redis.call('HSET', KEYS[n], ARGV[at], ARGV[at + 1])
    at = at + 2
end
redis.call('HSET', KEYS[1], 'commit', ARGV[2] + 1, 'append', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'number', ARGV[4]) end
return {'kept'}
"""
