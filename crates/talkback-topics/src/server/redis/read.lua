-- KEYS: the state and the history.
-- ARGV: an epoch if there is none, two lives, the epoch and the first offset that are asked for, and how many.
local place, epoch = stand(ARGV[1], ARGV[2], ARGV[3])
local first = epoch == ARGV[4] and ARGV[5] or '-'
local answer = {place}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], first, '+', 'COUNT', ARGV[6])) do
  answer[#answer + 1] = entry[2][2]
end
return answer
