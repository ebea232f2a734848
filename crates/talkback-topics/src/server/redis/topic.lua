-- Where the topic stands: its epoch, its last offset and that one's mark. A topic without a state begins; so does one that has the
-- epoch that is to end. A state that nothing was published to yet lives shorter: there may be many.
local function stand(epoch, life, short_life, ended)
  local state = redis.call('HMGET', KEYS[1], 'e', 'o', 'k')
  if not state[1] or state[1] == ended then
    redis.call('DEL', KEYS[1], KEYS[2])
    redis.call('HSET', KEYS[1], 'e', epoch)
    state = {epoch, false, false}
  end
  local left = tonumber(state[2] and life or short_life)
  -- It is in use. To say so each time would be a write each time.
  if redis.call('PTTL', KEYS[1]) < left - 1800000 then
    redis.call('PEXPIRE', KEYS[1], left)
  end
  return state[1] .. struct.pack('>I8', tonumber(state[2]) or 0) .. (state[3] or ''), state[1]
end
