// What Redis's own tests ask for that Skystash does not have or does otherwise, and why. A test that is listed is run and has to
// fail; with skip it is not run, because it would wait for ever or leave its client in a state that makes others fail. A rule without
// tests is about a whole unit.

const memory = "how Redis keeps values in memory: values are in the store here";
const files = "append-only files and dumps on disk: there are none, everything is in the store";
const settings = "CONFIG SET of what cannot be set here, or cannot be set without a lie";
const scriptLimits = "SCRIPT KILL, FUNCTION KILL and BUSY: a script holds up nobody here, and ends at its limits";
const libraryWorld = "while a library is loaded, Redis hides all globals but redis.register_function: here it may use all of Lua";
const eviction = "eviction and limits of memory: there are none";
const replicas = "replication: there are no replicas that a client sees";
const approximate = "how many surplus entries XADD and XTRIM with ~ leave: Redis removes whole nodes of 100, here all go once there are 100";
const dirty = "INFO's number of changes since the last save: everything is saved";

export const excluded = [
  { unit: "unit/dump", reason: replicas, tests: ["MIGRATE cached connections are released after some time"] },
  { unit: "unit/protocol", skip: true, reason: "attributes and big numbers of RESP3, which no command here sends", tests: ["RESP3 attributes", "RESP3 attributes readraw", "RESP3 attributes on RESP2", "test big number parsing"] },
  { unit: "unit/keyspace", reason: "a key of 50,000 bytes: they may have 32,768", tests: ["Regression for pattern matching very long nested loops"] },
  { unit: "unit/type/list", reason: "DEBUG SLEEP in a transaction: its commands are carried out before those of the connection", tests: ["BLPOP unblock but the key is expired and then block again - reprocessing command"] },
  { unit: "unit/type/list", skip: true, reason: "an element that is pushed is there for a moment before the client gets it that waits", tests: ["Linked LMOVEs", "PUSH resulting from BRPOPLPUSH affect WATCH"] },
  { unit: "unit/type/list", reason: dirty, tests: ["BLPOP/BLMOVE should increase dirty"] },
  { unit: "unit/type/list", skip: true, reason: "a client that is unblocked goes on, and is counted, a moment later", tests: ["Blocking command accounted only once in commandstats after timeout"] },
  { unit: "unit/type/set", reason: memory, tests: ["SRANDMEMBER with a dict containing long chain"] },
  { unit: "unit/type/zset", reason: "DEBUG SLEEP in a transaction: its commands are carried out before those of the connection", tests: ["BZPOPMIN unblock but the key is expired and then block again - reprocessing command"] },
  { unit: "unit/type/hash", reason: "the order of a hash's fields", tests: ["Hash ziplist of various encodings", "Hash ziplist of various encodings - sanitize dump"] },
  {
    unit: "unit/type/stream",
    reason: approximate,
    tests: ["XTRIM with MAXLEN option basic test", "XADD with LIMIT consecutive calls", "XTRIM with ~ is limited", "XTRIM with LIMIT delete entries no more than limit", "XADD with ~ MAXLEN and LIMIT can propagate correctly", "XADD with ~ MINID can propagate correctly", "XTRIM with ~ MAXLEN can propagate correctly"],
  },
  { unit: "unit/type/stream", reason: files, tests: ["Empty stream can be rewrite into AOF correctly", "Stream can be rewrite into AOF correctly after XDEL lastid"] },
  { unit: "unit/type/stream-cgroups", reason: "XREADGROUP that finds nothing writes nothing: a consumer's idle time counts from when it was given something, or was made", tests: ["Consumer seen-time and active-time"] },
  { unit: "unit/type/stream-cgroups", reason: files, tests: ["Consumer without PEL is present in AOF after AOFRW", "Empty stream with no lastid can be rewrite into AOF correctly"] },
  { unit: "unit/expire", reason: "an expired key is in DBSIZE until Redis finds it; here it is gone at once", tests: ["Redis should lazy expire keys"] },
  { unit: "unit/expire", reason: replicas, tests: ["Redis should not propagate the read command on lazy expire", "SCAN: Lazy-expire should not be wrapped in MULTI/EXEC", "RANDOMKEY: Lazy-expire should not be wrapped in MULTI/EXEC"] },
  { unit: "unit/other", skip: true, reason: "after SELECT of another database than 0, commands are refused until SELECT 0", tests: ["SELECT an out of range DB", "Check consistency of different data types after a reload"] },
  { unit: "unit/other", reason: files, tests: ["EXPIRES after AOF reload (without rewrite)"] },
  { unit: "unit/multi", reason: scriptLimits, tests: ["MULTI and script timeout", "EXEC and script timeout", "MULTI-EXEC body and script timeout", "just EXEC and script timeout"] },
  { unit: "unit/multi", reason: files, tests: ["MULTI with SAVE", "MULTI with SHUTDOWN"] },
  { unit: "unit/pubsub", skip: true, reason: "messages of different channels may overtake each other", tests: ["PUBLISH/SUBSCRIBE basics"] },
  { unit: "unit/pubsub", skip: true, reason: "that a subscriber has gone is noticed a moment later, on a busy machine too late for PUBLISH's count", tests: ["PUBLISH/SUBSCRIBE after UNSUBSCRIBE without arguments", "PUBLISH/PSUBSCRIBE after PUNSUBSCRIBE without arguments"] },
  { unit: "unit/scripting", reason: "a password of fewer than 16 characters", tests: ["Script ACL check"] },
  { unit: "unit/scripting", reason: "string.dump: functions cannot be dumped", tests: ["Binary code loading failed"] },
  { unit: "unit/scripting", reason: "getmetatable of globals is false", tests: ["Try trick global protection 2"] },
  {
    unit: "unit/scripting",
    reason: scriptLimits,
    tests: ["Timedout read-only scripts can be killed by SCRIPT KILL", "Timedout read-only scripts can be killed by SCRIPT KILL even when use pcall", "Timedout script does not cause a false dead client", "Timedout script link is still usable after Lua returns"],
  },
  { unit: "unit/scripting", reason: "DEBUG SET-DISABLE-DENY-SCRIPTS", tests: ['command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.'] },
  { unit: "unit/scripting", reason: "the number of scripts in INFO: they are in the store", tests: ["SCRIPTING FLUSH ASYNC"] },
  { unit: "unit/scripting", reason: replicas, tests: ["not enough good replicas"] },
  { unit: "unit/scripting", reason: eviction, tests: ["reject script do not cause a Lua stack leak", "Consistent eval error reporting"] },
  { unit: "unit/functions", reason: files, tests: ["FUNCTION - test debug reload different options"] },
  { unit: "unit/functions", reason: scriptLimits, tests: ["FUNCTION - test function kill", "FUNCTION - test script kill not working on function", "FUNCTION - test function kill not working on eval"] },
  {
    unit: "unit/functions",
    reason: libraryWorld,
    tests: ["LIBRARIES - math.random from function load", "LIBRARIES - redis.call from function load", "LIBRARIES - redis.setresp from function load", "LIBRARIES - redis.set_repl from function load", "LIBRARIES - redis.acl_check_cmd from function load", "LIBRARIES - malicious access test", "FUNCTION - test getmetatable on script load"],
  },
  { unit: "unit/functions", reason: "the words of an error: messages do not name variables", tests: ["LIBRARIES - register function inside a function"] },
  { unit: "unit/introspection", reason: "the bytes of a client's buffers in CLIENT LIST", tests: ["CLIENT LIST", "CLIENT INFO"] },
  { unit: "unit/introspection", skip: true, reason: "commands of two connections may be carried out in either order", tests: ["MONITOR log blocked command only once"] },
  { unit: "unit/introspection", reason: settings, tests: ["CONFIG SET with multiple args", "CONFIG SET rollback on set error", "CONFIG SET rollback on apply error", "CONFIG SET duplicate configs", "CONFIG GET hidden configs", "CONFIG GET multiple args"] },
  { unit: "unit/introspection-2", reason: "when a key was used last is not recorded: a read writes nothing", tests: ["TTL, TYPE and EXISTS do not alter the last access time of a key", "Operations in no-touch mode do not alter the last access time of a key"] },
  { unit: "unit/introspection-2", reason: "CONFIG REWRITE and MIGRATE, which are not served", tests: ["COMMAND LIST FILTERBY PATTERN - list all commands/subcommands", "MIGRATE command is marked with movablekeys"] },
  { unit: "unit/bitops", reason: dirty, tests: ["SETBIT/BITFIELD only increase dirty when the value changed"] },
  { unit: "unit/hyperloglog", reason: "PFCOUNT does not write its estimate into the key", tests: ["PFADD / PFCOUNT cache invalidation works"] },
  { unit: "unit/lazyfree", reason: memory },
  { unit: "unit/latency-monitor", skip: true, reason: "values expire by the clock: there is no cycle that could be slow, and the test's script of a million commands ends at its limit", tests: ["LATENCY of expire events are correctly collected"] },
  { unit: "unit/pause", skip: true, reason: "CLIENT PAUSE holds up no commands of connections: CLIENT UNPAUSE always works", tests: ["Test old pause-all takes precedence over new pause-write (less restrictive)"] },
  { unit: "unit/pause", skip: true, reason: "PFCOUNT writes nothing, and is not held up with those who write", tests: ["Test special commands are paused by RO"] },
  { unit: "unit/pause", reason: "an expired key is gone at once, and none is counted", tests: ["Test both active and passive expires are skipped during client pause"] },
  { unit: "unit/querybuf", reason: "the bytes of a client's buffers in CLIENT LIST" },
  { unit: "unit/replybufsize", reason: "the bytes of a client's buffers in CLIENT LIST" },
  { unit: "unit/tracking", reason: "CLIENT TRACKING is refused, as clients expect of a server that has none" },
];
