-- KEYS: the state and the history.
-- ARGV: an epoch if there is none, two lives, the epoch and the first offset that are asked for, how many, and how many bytes, of which one
-- step may be too much.
local place, epoch = stand(ARGV[1], ARGV[2], ARGV[3])
local first = epoch == ARGV[4] and ARGV[5] or '-'
local left, room, step = tonumber(ARGV[6]), tonumber(ARGV[7]), 8
local answer = {place}
while left > 0 and room > 0 do
  local entries = redis.call('XRANGE', KEYS[2], first, '+', 'COUNT', math.min(left, step))
  for _, entry in ipairs(entries) do
    answer[#answer + 1] = entry[2][2]
    room = room - #entry[2][2]
    local number, part = string.match(entry[1], '(%d+)-(%d+)')
    first = number .. '-' .. string.format('%.0f', part + 1)
  end
  left = #entries < step and 0 or left - #entries
end
return answer
