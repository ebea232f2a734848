-- KEYS: the state, the history, and the id's, if there is one.
-- ARGV: an epoch if there is none, a mark, the channel, the packed publication, how many are kept, the life of the history, of the
-- state and of an id in milliseconds.
local known = KEYS[3] and redis.call('GET', KEYS[3])
if known then
  return {known, 1}
end
local state = redis.call('HMGET', KEYS[1], 'e', 'o', 'k')
local epoch, offset, previous = state[1], (tonumber(state[2]) or 0) + 1, state[3] or '\0\0'
if not epoch then
  epoch, offset, previous = ARGV[1], 1, '\0\0'
  redis.call('DEL', KEYS[1], KEYS[2])
end
local number = string.format('%.0f', offset)
local place = epoch .. struct.pack('>I8', offset) .. ARGV[2]
local packed = '\1' .. place .. previous .. ARGV[4]
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[5], number .. '-0', 'p', packed)
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('HSET', KEYS[1], 'e', epoch, 'o', number, 'k', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
if KEYS[3] then
  redis.call('SET', KEYS[3], place, 'PX', ARGV[8])
end
redis.call('PUBLISH', ARGV[3], packed)
return {place, 0}
