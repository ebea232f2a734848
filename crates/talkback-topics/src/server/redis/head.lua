-- KEYS: the state and the history. ARGV: what `stand` asks for.
local place = stand(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return place
