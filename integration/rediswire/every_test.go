//go:build redisclients

package rediswire

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestEveryProgramIsServed runs all programs, and further versions of clients, with TLS and without, on both stores, beside what
// scripts/test redis-clients has made in SKYSTASH_REDIS_CLIENTS: the programs for asynq and redis-rs, and the jars of Jedis.
func TestEveryProgramIsServed(t *testing.T) {
	dir := os.Getenv("SKYSTASH_REDIS_CLIENTS")
	all := append(programs(t),
		program{"node-redis 5, RESP2", []string{"node", "node_redis.mjs"}, []string{"RESP=2"}},
		program{"node-redis 6", []string{"node", "node_redis.mjs"}, []string{"NODE_REDIS=redis-6"}},
		program{"node-redis 6, RESP2", []string{"node", "node_redis.mjs"}, []string{"NODE_REDIS=redis-6", "RESP=2"}},
		program{"node-redis 6, restarted", []string{"node", "restarted.mjs", "redis-6"}, nil},
		program{"ioredis 6", []string{"node", "ioredis.cjs"}, []string{"IOREDIS=ioredis-6"}},
		program{"ioredis 6, restarted", []string{"node", "restarted.mjs", "ioredis-6"}, nil},
		program{"Socket.IO, ioredis", []string{"node", "socketio.mjs"}, []string{"IOREDIS=ioredis"}},
		program{"asynq", []string{installed(t, filepath.Join(dir, "asynq"), "scripts/test redis-clients")}, nil},
		program{"redis-rs", []string{installed(t, filepath.Join(dir, "redisrs", "debug", "redisrs"), "scripts/test redis-clients")}, nil},
		jedis(t, filepath.Join(dir, "jedis", "*")),
	)
	endpoint := os.Getenv("SKYSTASH_DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Fatal("no SKYSTASH_DYNAMODB_ENDPOINT: use scripts/test redis-clients")
	}
	tables := 0
	for _, store := range []string{"embedded", "dynamo"} {
		for _, p := range all {
			for _, tls := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/TLS=%v", store, p.name, tls), func(t *testing.T) {
					var flags []string
					if store == "dynamo" {
						tables++
						flags = []string{"-store", "dynamo", "-endpoint", endpoint}
						for _, name := range []string{"table", "kafka-table", "qstash-table", "control-table"} {
							flags = append(flags, "-"+name, fmt.Sprintf("clients-%d-%d-%s", os.Getpid(), tables, name))
						}
					}
					s := startServer(t, flags...)
					defer s.Kill()
					p.run(t, s, tls)
				})
			}
		}
	}
}

// jedis compiles the program for Java.
func jedis(t *testing.T, jars string) program {
	t.Helper()
	classes := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "javac", "-nowarn", "-d", classes, "-cp", jars, "JedisClient.java").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program{"Jedis", []string{"java", "-cp", classes + ":" + jars, "JedisClient"}, nil}
}
