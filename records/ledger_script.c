#include "records/ledger_script.h"

/* Replies of observe and decide: {0, version, [length of the stream]} written; {1, version} the evidence moved;
 * {2, version, final, reason, evidence} a final stands. docs/redis.md 3.2 says what they promise. */

/* KEYS encounter, open; ARGV expected version, sealed evidence, time to live ms, abandoned after (wall ms),
 * encounter */
const char sp_ledger_script_observe[] =
    "local e = redis.call('HMGET', KEYS[1], 'v', 'final', 'reason', 'evidence')\n"
    "local version = tonumber(e[1] or '0')\n"
    "if e[2] then return {2, version, e[2], tonumber(e[3] or '0'), e[4]} end\n"
    "if version ~= tonumber(ARGV[1]) then return {1, version} end\n"
    "redis.call('HSET', KEYS[1], 'v', version + 1, 'evidence', ARGV[2])\n"
    "redis.call('PEXPIRE', KEYS[1], ARGV[3])\n"
    "redis.call('ZADD', KEYS[2], ARGV[4], ARGV[5])\n"
    "return {0, version + 1}\n";

/* KEYS encounter, open, stream; ARGV sealed final, reason, sealed evidence or '', time to live ms, encounter,
 * partition, lane, outcome, issued ms, sealed entry.
 * The entry is appended before the final is set: Redis does not roll a script back, and an append that fails (out
 * of memory) must leave no final without its entry. */
const char sp_ledger_script_decide[] =
    "local e = redis.call('HMGET', KEYS[1], 'v', 'final', 'reason', 'evidence')\n"
    "local version = tonumber(e[1] or '0')\n"
    "if e[2] then\n"
    "  redis.call('ZREM', KEYS[2], ARGV[5])\n"
    "  return {2, version, e[2], tonumber(e[3] or '0'), e[4]}\n"
    "end\n"
    "redis.call('XADD', KEYS[3], '*', 'partition', ARGV[6], 'lane', ARGV[7], 'outcome', ARGV[8],\n"
    "           'reason', ARGV[2], 'issued_ms', ARGV[9], 'sealed', ARGV[10])\n"
    "redis.call('HSET', KEYS[1], 'v', version + 1, 'final', ARGV[1], 'reason', ARGV[2])\n"
    "if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'evidence', ARGV[3]) end\n"
    "redis.call('PEXPIRE', KEYS[1], ARGV[4])\n"
    "redis.call('ZREM', KEYS[2], ARGV[5])\n"
    "return {0, version + 1, redis.call('XLEN', KEYS[3])}\n";

/* KEYS sweep; ARGV holder, lease ms. 1: held by this holder now. */
const char sp_ledger_script_lease[] = "local holder = redis.call('GET', KEYS[1])\n"
                                      "if holder and holder ~= ARGV[1] then return 0 end\n"
                                      "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
                                      "return 1\n";

/* A claim's value is "<t|c> <encounter hex> <ms>" (records/claim.h): the encounter is in 3..34, the time from 36
 * on. */

/* KEYS claims; ARGV traveller, encounter, hold ms, what may be taken over ("<t|c> <encounter hex>") or ''.
 * {0} it is this encounter's; {1, holder} confirmed for another; {2, holder} tentative for another; {3, holder} so,
 * and older than hold. A tentative claim that was confirmed or renewed since the caller looked is not taken over.
 * The time is the server's: workers' clocks do not matter. */
const char sp_ledger_script_claim[] =
    "local time = redis.call('TIME')\n"
    "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
    "local held = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "if held then\n"
    "  local confirmed = string.sub(held, 1, 1) == 'c'\n"
    "  local holder = string.sub(held, 3, 34)\n"
    "  local over = string.sub(held, 1, 34) == ARGV[4]\n"
    "  local old = now - tonumber(string.sub(held, 36)) >= tonumber(ARGV[3])\n"
    "  if holder == ARGV[2] then\n"
    "    if confirmed then return {0} end\n"
    "  elseif confirmed then\n"
    "    if not over then return {1, holder} end\n"
    "  elseif not old then return {2, holder}\n"
    "  elseif not over then return {3, holder} end\n"
    "end\n"
    "redis.call('HSET', KEYS[1], ARGV[1], 't ' .. ARGV[2] .. ' ' .. string.format('%.0f', now))\n"
    "return {0}\n";

/* KEYS claims; ARGV traveller, encounter. 1: it is confirmed for this encounter now. */
const char sp_ledger_script_confirm[] =
    "local held = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "if not held or string.sub(held, 3, 34) ~= ARGV[2] then return 0 end\n"
    "if string.sub(held, 1, 1) ~= 'c' then redis.call('HSET', KEYS[1], ARGV[1], 'c' .. string.sub(held, 2)) end\n"
    "return 1\n";

/* KEYS claims; ARGV traveller, encounter. Of another encounter nothing is released. */
const char sp_ledger_script_release[] = "local held = redis.call('HGET', KEYS[1], ARGV[1])\n"
                                        "if not held or string.sub(held, 3, 34) ~= ARGV[2] then return 0 end\n"
                                        "return redis.call('HDEL', KEYS[1], ARGV[1])\n";
