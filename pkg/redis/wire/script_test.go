package wire_test

import "testing"

// Scripts are Redis's here, and the service's over REST.
func TestScriptsAreRedis(t *testing.T) {
	c := newServer(t, nil).login()
	for _, tt := range []struct{ send, want string }{
		{`EVAL "return redis.call('incrbyfloat', KEYS[1], 0.5)" 1 k`, "$3|0.5|"},
		{`EVAL "return redis.call('nosuch')" 0`, "-ERR Unknown Redis command called from script script: 206396248e12c6e742fd7296250433c8d7343b74, on @user_script:1.|"},
		{`EVAL_RO "return redis.call('set', KEYS[1], 1)" 1 k`, "-ERR Write commands are not allowed from read-only scripts. script: 2b58b113dac432e64a65f3ae35a5bac7217348a6, on @user_script:1.|"},
		{`FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function() return 1 end) redis.register_function{function_name='g', callback=function() return 2 end, flags={'no-writes'}}"`, "$1|l|"},
		{"FCALL f 0", ":1|"},
		{"FCALL_RO f 0", "-ERR Can not execute a script with write flag using *_ro command.|"},
		{"FCALL_RO g 0", ":2|"},
	} {
		c.expect(tt.send, tt.want)
	}
}
