"""What Redis does in one step, in Lua. KEYS of each: those of `Keys.of_all`.

While the slot of a cluster moves, a script that names a key which is not there is stopped in the
middle, and what it had written stays (`scriptVerifyClusterState` in Redis). Redis begins no script
of which one of the KEYS is not there; so none removes the last field of a hash, and then names it.
"""

from __future__ import annotations

from typing import Final

_NOW: Final = """
local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""
# With a hash tag the keys are in a cluster; there a message goes to the servers of the slot only.
_PUBLISH: Final = """
local publish = string.find(KEYS[1], '{', 1, true) and 'SPUBLISH' or 'PUBLISH'
"""
# A node that waits for the turn reads on when it has it.
_TELL: Final = f"""{_PUBLISH}
local function tell(me, what, waiting, next)
    local known = redis.call('HGETALL', KEYS[2])
    for n = 1, #known, 2 do
        local waits = string.find(waiting or '', ' ' .. known[n] .. ' ', 1, true)
        if known[n] == next then
            redis.pcall(publish, string.match(known[n + 1], '%S+$'), what .. ' turn')
        elseif known[n] ~= me and not waits then
            redis.pcall(publish, string.match(known[n + 1], '%S+$'), what)
        end
    end
end
"""

# Those who wait for the turn, oldest first: ` 3 5 `. The next one of them has it, for some ms.
_PASS_TURN: Final = """
local function pass_turn(ms)
    local waiting = redis.call('HGET', KEYS[1], 'waiting') or ''
    redis.call('HDEL', KEYS[1], 'turn', 'turn_ends', 'waiting')
    local next, rest = string.match(waiting, '^ (%d+)( .*)$')
    if next then
        local ends = string.format('%.0f', now() + ms)
        redis.pcall('HSET', KEYS[1], 'turn', next, 'turn_ends', ends, 'waiting', rest)
    end
    return next
end
"""

# What a node writes about itself, it writes into the journal that it knows. ARGV[1]: its epoch.
_CHECK_EPOCH: Final = """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'epoch', epoch or ''} end
"""

# ARGV: an epoch for a new journal, the version of this layout. A server of version 1 is refused by
# the fence that is gone. A removal comes first, here and below: then what follows is possible where
# Redis has no memory left.
BEGIN: Final = """
local version = redis.call('HGET', KEYS[1], 'version')
if version and tonumber(version) > tonumber(ARGV[2]) then return {'newer', version} end
redis.call('HDEL', KEYS[1], 'fence', 'holder', 'name')
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
redis.call('HSETNX', KEYS[1], 'commit', '0')
redis.call('HSETNX', KEYS[1], 'append', '')
redis.call('HSETNX', KEYS[1], 'number', '0')
redis.call('HSET', KEYS[1], 'version', ARGV[2])
return {'begun', redis.call('HGET', KEYS[1], 'epoch')}
"""

# ARGV: the epoch, this node's number or nothing, the lease in ms, this node's channel. The place
# from which a node will read on is kept from then on.
JOIN: Final = f"""{_NOW}{_CHECK_EPOCH}
redis.call('HDEL', KEYS[2], '')
local me = ARGV[2]
if me == '' then me = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'nodes', 1)) end
local found = redis.call('HMGET', KEYS[1], 'commit', 'append', 'number')
local time = now()
redis.call('HSET', KEYS[2], me, string.format('%.0f %s %s', time + ARGV[3], found[1], ARGV[4]))
return {{'joined', me, string.format('%.0f', time), unpack(found)}}
"""

# ARGV: the epoch, this node's number, the lease in ms or 0 to give it up, its place, its channel.
# Commits that every living node has are removed from the stream, and so are those that a node would
# have to read for too long; what is left of nodes that never came to be is removed after a minute.
# Answers what is known of all.
RENEW: Final = f"""{_NOW}{_PUBLISH}{_CHECK_EPOCH}
if tonumber(redis.call('HGET', KEYS[1], 'commit')) < tonumber(ARGV[4]) then return {{'older'}} end
redis.call('HDEL', KEYS[2], '')
local time = now()
local expires = ARGV[3] == '0' and 0 or time + ARGV[3]
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f %s %s', expires, ARGV[4], ARGV[5]))
local known = redis.call('HGETALL', KEYS[2])
local least = tonumber(ARGV[4])
for n = 1, #known, 2 do
    local over, place = string.match(known[n + 1], '^(%d+) (%d+)')
    over = tonumber(over)
    if over > time then
        least = math.min(least, tonumber(place))
    elseif over > 0 and over + 60000 < time then
        redis.call('HDEL', KEYS[2], known[n])
    end
end
redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f', least))
redis.call('XTRIM', KEYS[3], 'MAXLEN', 100000)
redis.pcall(publish, ARGV[5], '')
return {{'renewed', string.format('%.0f', time), unpack(known)}}
"""

# KEYS: after those three, each of the changes once. ARGV: the epoch, this node's number, the number
# and the id of the commit before this one, the id of this one, the number of its last record or
# nothing, for how many ms a turn is a node's, the changes as the stream has them, removals first,
# the field of each change, and the leases that must be over.
#
# A node that was behind has the turn, unless another one has it.
COMMIT: Final = f"""{_NOW}{_TELL}{_PASS_TURN}
local names = {{'epoch', 'commit', 'append', 'turn', 'turn_ends', 'waiting'}}
local epoch, commit, append, turn, ends, waiting =
    unpack(redis.call('HMGET', KEYS[1], unpack(names)))
if epoch ~= ARGV[1] then return {{'epoch', epoch or ''}} end
if append == ARGV[5] then return {{'kept'}} end
local taken = turn and tonumber(ends) > now()
if taken and turn ~= ARGV[2] then return {{'wait'}} end
if commit ~= ARGV[3] or append ~= ARGV[4] then
    if tonumber(commit) > tonumber(ARGV[3]) then
        local until_ = string.format('%.0f', now() + ARGV[7])
        redis.pcall('HSET', KEYS[1], 'turn', ARGV[2], 'turn_ends', until_)
    end
    return {{'behind'}}
end
for n = 10, #ARGV do
    local known = redis.call('HGET', KEYS[2], ARGV[n])
    if known and tonumber(string.match(known, '^%d+')) > now() then return {{'alive'}} end
end
local function parts_of(text)
    local at = 1
    return function()
        local from, ends = at, string.find(text, '\0', at, true) or #text + 1
        at = ends + 1
        return from <= #text and string.sub(text, from, ends - 1) or nil
    end
end
if string.find(ARGV[8], '\\0-', 1, true) then redis.call('HDEL', KEYS[1], '') end
local removed, change, field = {{}}, parts_of(ARGV[8]), parts_of(ARGV[9])
for place in change do
    local row = change()
    if string.byte(row) == 45 then
        removed[#removed + 1] = {{place, field()}}
    else
        redis.call('HSET', place, field(), string.sub(row, 2))
    end
end
local number = string.format('%.0f', commit + 1)
redis.call('XADD', KEYS[3], number .. '-0', 'append', ARGV[5], 'before', append, 'rows', ARGV[8])
redis.call('HSET', KEYS[1], 'commit', number, 'append', ARGV[5])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'number', ARGV[6]) end
tell(ARGV[2], number, waiting, (turn or waiting) and pass_turn(ARGV[7]))
for _, each in ipairs(removed) do redis.call('HDEL', each[1], each[2]) end
for n = 10, #ARGV do redis.call('HDEL', KEYS[2], ARGV[n]) end
return {{'kept'}}
"""

# ARGV: this node's number, for how many ms the turn is the next one's. It tries no more.
GIVE_TURN: Final = f"""{_NOW}{_PUBLISH}{_PASS_TURN}
local turn, waiting, commit =
    unpack(redis.call('HMGET', KEYS[1], 'turn', 'waiting', 'commit'))
local at, ends = string.find(waiting or '', ' ' .. ARGV[1] .. ' ', 1, true)
if at then
    waiting = string.sub(waiting, 1, at) .. string.sub(waiting, ends + 1)
    redis.pcall('HSET', KEYS[1], 'waiting', waiting)
end
if turn == ARGV[1] then
    local next = pass_turn(ARGV[2])
    local known = next and redis.call('HGET', KEYS[2], next)
    if known then redis.pcall(publish, string.match(known, '%S+$'), commit .. ' turn') end
end
return {{'given'}}
"""

# ARGV: the epoch, the number and the id of the commit before the one whose answer is lost, an id.
# A commit without rows takes the place of one that is still under way: that is refused from now on.
# Answers the id of the commit in that place; nothing if it is not kept any more. It always writes:
# a replica that has that write has the commit, too.
SETTLE: Final = """
local epoch, commit, append =
    unpack(redis.call('HMGET', KEYS[1], 'epoch', 'commit', 'append'))
if epoch ~= ARGV[1] then return {'epoch', epoch or ''} end
redis.call('HDEL', KEYS[1], 'settled')
redis.call('HSET', KEYS[1], 'settled', ARGV[4])
local number = string.format('%.0f', ARGV[2] + 1)
if commit == ARGV[2] and append == ARGV[3] then
    redis.call('HDEL', KEYS[1], 'turn', 'turn_ends')
    redis.call('XADD', KEYS[3], number .. '-0', 'append', ARGV[4], 'before', append, 'rows', '')
    redis.call('HSET', KEYS[1], 'commit', number, 'append', ARGV[4])
end
local found = redis.call('XRANGE', KEYS[3], number, number)
return {'settled', found[1] and found[1][2][2] or ''}
"""

# ARGV: a place's number, the most commits, this node's number if it asks for the turn, for how many
# ms that is its own. Answers the journal's epoch and place, for how many ms at most another node
# has the turn, and what came after. A node that must wait has its place in the queue, and is
# answered nothing more unless ARGV[5] is `all`: it reads on once, when it has the turn.
READ_ON: Final = f"""{_NOW}
local names = {{'epoch', 'commit', 'append', 'turn', 'turn_ends', 'waiting'}}
local epoch, commit, append, turn, ends, waiting =
    unpack(redis.call('HMGET', KEYS[1], unpack(names)))
local answer = {{epoch or '', commit or '0', append or '', '0'}}
if ARGV[3] ~= '' and epoch then
    waiting = waiting or ' '
    local from, to = string.find(waiting, ' ' .. ARGV[3] .. ' ', 1, true)
    local left = turn and turn ~= ARGV[3] and ends - now() or 0
    if left > 0 then
        answer[4] = string.format('%.0f', left)
        if not from then
            redis.pcall('HSET', KEYS[1], 'waiting', waiting .. ARGV[3] .. ' ')
        end
    else
        if from then
            waiting = string.sub(waiting, 1, from) .. string.sub(waiting, to + 1)
        end
        ends = string.format('%.0f', now() + ARGV[4])
        redis.pcall('HSET', KEYS[1], 'turn', ARGV[3], 'turn_ends', ends, 'waiting', waiting)
    end
end
if answer[4] ~= '0' and ARGV[5] ~= 'all' then return answer end
if commit and tonumber(commit) > tonumber(ARGV[1]) then
    local after = string.format('%.0f', ARGV[1] + 1)
    for _, each in ipairs(redis.call('XRANGE', KEYS[3], after, '+', 'COUNT', ARGV[2])) do
        answer[#answer + 1] = string.match(each[1], '^%d+')
        for n = 2, 6, 2 do answer[#answer + 1] = each[2][n] end
    end
end
return answer
"""

# ARGV: this node's number, and what to tell the others.
TELL: Final = f"""{_TELL}
tell(ARGV[1], ARGV[2])
return {{'done'}}
"""
