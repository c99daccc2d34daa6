#include "roster/manifest_script.h"

/* KEYS hash; ARGV field, value, ... 1: made, 0: it stands already. */
const char sp_manifest_script_create[] = "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end\n"
                                         "redis.call('HSET', KEYS[1], unpack(ARGV))\n"
                                         "return 1\n";

/* KEYS current, index, keys; ARGV expected value of current ('' = none), new value, sealed index.
 * {1} flipped; {0, what stands} somebody else was first. The index is written here, not before: two desks that aim
 * at the same version must not overwrite each other's. A first version whose data keys were purged meanwhile could
 * never be opened. */
const char sp_manifest_script_flip[] = "local now = redis.call('GET', KEYS[1]) or ''\n"
                                       "if now ~= ARGV[1] then return {0, now} end\n"
                                       "if now == '' and redis.call('EXISTS', KEYS[3]) == 0 then\n"
                                       "  return {0, 'no data keys'}\n"
                                       "end\n"
                                       "redis.call('SET', KEYS[2], ARGV[3])\n"
                                       "redis.call('SET', KEYS[1], ARGV[2])\n"
                                       "return {1}\n";

/* KEYS key; ARGV expected bytes ('' = none), new bytes. 1: swapped, 0: somebody else was first. */
const char sp_manifest_script_swap[] = "local now = redis.call('GET', KEYS[1]) or ''\n"
                                       "if now ~= ARGV[1] then return 0 end\n"
                                       "redis.call('SET', KEYS[1], ARGV[2])\n"
                                       "return 1\n";

/* KEYS current; ARGV expected value, new value, seconds to live. 1: done, 0: something else stands. */
const char sp_manifest_script_purge[] = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
                                        "redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])\n"
                                        "return 1\n";

/* KEYS current, index, keys, hash ...; ARGV expected value of current, new value, sealed index, then for each hash
 * the number of fields and the fields. One script: a publish that counts on these fields has not flipped, and will
 * not.
 */
const char sp_manifest_script_tidy[] = "local now = redis.call('GET', KEYS[1]) or ''\n"
                                       "if now ~= ARGV[1] then return {0, now} end\n"
                                       "local at = 4\n"
                                       "for k = 4, #KEYS do\n"
                                       "  local count = tonumber(ARGV[at])\n"
                                       "  for i = at + 1, at + count do redis.call('HDEL', KEYS[k], ARGV[i]) end\n"
                                       "  at = at + count + 1\n"
                                       "end\n"
                                       "redis.call('SET', KEYS[2], ARGV[3])\n"
                                       "redis.call('SET', KEYS[1], ARGV[2])\n"
                                       "return {1}\n";
