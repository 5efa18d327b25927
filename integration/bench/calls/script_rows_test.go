package calls

import (
	"crypto/sha1"
	"encoding/hex"
)

// Scripts of the rows. They hold no blanks, which separate arguments.
const (
	getScript = "return(redis.call('GET',KEYS[1]))"
	setScript = "return(redis.call('SET',KEYS[1],ARGV[1]))"
	twoScript = "return(redis.call('INCRBY',KEYS[1],redis.call('GET',KEYS[2])))"

	library = "#!lua name=lib\n" +
		"redis.register_function('get',function(keys)return(redis.call('GET',keys[1]))end)\n" +
		"redis.register_function('set',function(keys,args)return(redis.call('SET',keys[1],args[1]))end)"
)

func sha(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

func scriptRows() group {
	known := block{before: "a string, a script that the instance knows", prepare: []string{
		"SET k 41", "SET k2 1", "SCRIPT LOAD " + getScript, "SCRIPT LOAD " + setScript, "SCRIPT LOAD " + twoScript}}
	functions := block{before: "a string, a library that the instance knows", prepare: []string{"SET k value", "FUNCTION LOAD <library>", "FCALL get 1 k"}}
	return group{"Scripts", []block{
		known.with(
			"EVAL "+getScript+" 1 k", "EVAL "+setScript+" 1 k other", "EVALSHA "+sha(getScript)+" 1 k", "EVALSHA "+sha(setScript)+" 1 k other",
			"EVALSHA "+sha(twoScript)+" 2 k k2", "EVAL_RO "+getScript+" 1 k", "EVALSHA_RO "+sha(getScript)+" 1 k"),
		block{before: "no key, no script"}.with("EVAL " + setScript + " 1 k other"),
		functions.with("FCALL get 1 k", "FCALL set 1 k other", "FCALL_RO get 1 k",
			"FUNCTION LOAD REPLACE <library>", "FUNCTION DELETE lib", "FUNCTION FLUSH", "FUNCTION RESTORE <functions> FLUSH"),
		block{before: "no library"}.with("FUNCTION LOAD <library>"),
	}}
}
