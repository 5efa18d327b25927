package redis

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// INFO.

func infoCommand() *command {
	return &command{name: "info", arity: -1, tips: "nondeterministic_output request_policy:all_shards response_policy:special", group: "server", since: "1.0.0", summary: "Describes the server and the database.", run: info}
}

// redisVersion is the version of Redis whose commands and behaviour this is.
const redisVersion = "7.2.4"

// infoSections are the sections of INFO, in order.
var infoSections = []string{"server", "clients", "memory", "stats", "cluster", "keyspace"}

// infoKeyBudget is how many keys INFO counts when nobody asked for the keyspace.
const infoKeyBudget = 1000

// INFO [section [section ...]]
//
// All sections make up the default, in which keyspace has no figures if the database has
// more than infoKeyBudget keys. An unknown section gives its heading.
func info(c *call) error {
	var want []string
	explicit := false
	for _, arg := range c.args[1:] {
		switch s := strings.ToLower(arg); s {
		case "default", "all", "everything":
			want = append(want, infoSections...)
		default:
			want = append(want, s)
			explicit = explicit || s == "keyspace"
		}
	}
	if len(c.args) == 1 {
		want = infoSections
	}
	var b strings.Builder
	section := func(name string) {
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		if name != "" {
			name = strings.ToUpper(name[:1]) + name[1:]
		}
		b.WriteString("# " + name + "\r\n")
	}
	line := func(name string, value any) { fmt.Fprintf(&b, "%s:%v\r\n", name, value) }
	for _, s := range infoSections {
		if !slices.Contains(want, s) {
			continue
		}
		section(s)
		switch s {
		case "server":
			infoServer(c, line)
		case "clients":
			line("connected_clients", 0)
			line("blocked_clients", 0)
		case "memory":
			line("maxmemory", 0)
			line("maxmemory_human", "0B")
			line("maxmemory_policy", "noeviction")
		case "stats":
			line("evicted_keys", 0)
		case "cluster":
			line("cluster_enabled", 0)
		case "keyspace":
			limit := int64(infoKeyBudget)
			if explicit {
				limit = 0
			}
			if keys, expires, ok := c.tx.countKeys(limit); ok && keys > 0 {
				line("db0", fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0", keys, expires))
			}
		}
	}
	for i, s := range want {
		if !slices.Contains(infoSections, s) && !slices.Contains(want[:i], s) {
			section(s)
		}
	}
	c.w.Bulk(b.String())
	return nil
}

func infoServer(c *call, line func(name string, value any)) {
	now := c.host.now()
	up := int64(now.Sub(c.host.started).Seconds())
	line("redis_version", redisVersion)
	line("redis_mode", "standalone")
	line("skystash_version", buildVersion())
	line("os", runtime.GOOS)
	line("arch_bits", 64)
	line("go_version", runtime.Version())
	line("server_time_usec", now.UnixMicro())
	line("uptime_in_seconds", up)
	line("uptime_in_days", up/86400)
}

// buildVersion is the module's version as the build recorded it.
func buildVersion() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}
