import { type CommandParser, defineScript } from '@redis/client';

/** What {@link Gcra} does, where all servers do it. Each limit is a hash: `earned_at`, `given`, and for each server the least debt since it last asked. Times are milliseconds since 2026: large numbers have coarse fractions. */
const common = `
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 1000 + time[2] / 1000
local minute = 60000
local function exact(number) return string.format('%.17g', number) end
-- The least debt that this server was not told of; the others are told when they ask.
local function note(key, server, debt, given)
  local own = given
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 6) == 'least:' then
      local least = math.min(tonumber(fields[i + 1]), debt + given)
      if fields[i] == 'least:' .. server then own = least
      elseif least <= given then redis.call('HDEL', key, fields[i])
      else redis.call('HSET', key, fields[i], exact(least)) end
    end
  end
  redis.call('HSET', key, 'least:' .. server, 'inf')
  return own
end
local function keep(key, earnedAt, given)
  redis.call('HSET', key, 'earned_at', exact(earnedAt), 'given', exact(given))
  redis.call('PEXPIRE', key, math.ceil(math.max(0, earnedAt - now)) + minute)
end
local function debtOf(key, born)
  local fields = redis.call('HMGET', key, 'earned_at', 'given')
  return math.max(0, tonumber(fields[1] or born + minute) - now), tonumber(fields[2] or 0)
end
`;

/**
 * Takes all or nothing. Arguments: the server, when Redis was found to have forgotten everything (0: never), and for each
 * key units a minute, units, units that were taken elsewhere, 1 where some may be given back. Answers how long to wait,
 * which limit says so, and for each key its debt, the least one since this server last asked, and what was given back.
 */
const take = `${common}
local server, born = ARGV[1], tonumber(ARGV[2])
local limits, wait, denier = {}, 0, 0
for i, key in ipairs(KEYS) do
  local perMinute, units, elsewhere = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])
  local debt, given = debtOf(key, born)
  local refundable = ARGV[4 * i + 2] == '1'
  local least = refundable and note(key, server, debt, given) or given
  if elsewhere > 0 then debt = math.max(debt, math.min(minute, debt + elsewhere * minute / perMinute)) end
  if elsewhere > 0 or refundable then keep(key, now + debt, given) end
  limits[i] = { debt = debt, given = given, least = least, cost = units * minute / perMinute }
  local own = debt + (units - 0.001) * minute / perMinute - minute
  if own > wait then wait, denier = own, i end
end
local answer = { exact(wait), exact(denier) }
for i, key in ipairs(KEYS) do
  local limit = limits[i]
  if wait == 0 then
    limit.debt = limit.debt + limit.cost
    keep(key, now + limit.debt, limit.given)
  end
  for _, number in ipairs({ limit.debt, limit.least, limit.given }) do answer[#answer + 1] = exact(number) end
end
return answer
`;

/** Gives back: the server, units a minute, units, and what is the most that is still owed of them. */
const giveBack = `${common}
local server, perMinute, units, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local debt, given = debtOf(KEYS[1], 0)
local least = note(KEYS[1], server, debt, given)
local back = math.max(0, math.min(units * minute / perMinute, math.min(room, least, debt + given) - given))
keep(KEYS[1], now + debt - back, given + back)
return { exact(debt - back), exact(least), exact(given + back) }
`;

/** One more that runs at once, if fewer than so many do; those that nobody has renewed for a while do not count. */
const hold = `${common}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[3]))
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], 2 * tonumber(ARGV[3]))
return 1
`;

/** These still run. */
const renew = `${common}
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], 2 * tonumber(ARGV[1]))
`;

/** This server lives. Answers how many do, and when Redis was found to have forgotten everything: by a server that had seen it before. */
const beat = `${common}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[3]))
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('SET', KEYS[2], ARGV[2] == '1' and exact(now) or '0', 'NX')
return { exact(redis.call('ZCARD', KEYS[1])), redis.call('GET', KEYS[2]) }
`;

function script<Reply>(text: string) {
  return defineScript({
    SCRIPT: text,
    parseCommand(parser: CommandParser, keys: readonly string[], args: readonly (string | number)[]) {
      parser.push(String(keys.length));
      parser.pushKeys([...keys]);
      for (const arg of args) parser.push(String(arg));
    },
    transformReply: undefined as unknown as () => Reply,
  });
}

export const rateScripts = {
  take: script<readonly string[]>(take),
  giveBack: script<readonly string[]>(giveBack),
  hold: script<number>(hold),
  renew: script<null>(renew),
  beat: script<readonly [string, string]>(beat),
};
