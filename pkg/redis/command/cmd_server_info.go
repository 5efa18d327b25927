package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// INFO.

func infoCommand() *Command {
	return &Command{Name: "info", Arity: -1, Tips: "nondeterministic_output request_policy:all_shards response_policy:special", Group: "server", Since: "1.0.0", Summary: "Describes the server and the database.", Run: info}
}

// Version is the version of Redis whose commands and behaviour this is.
const Version = "7.2.4"

// infoSections are the sections of INFO, in order.
var infoSections = []string{"server", "clients", "memory", "persistence", "stats", "replication", "cluster", "keyspace"}

// infoKeyBudget is how many keys INFO counts when nobody asked for the keyspace.
const infoKeyBudget = 1000

// INFO [section [section ...]]
//
// All sections make up the default, in which keyspace has no figures if the database has
// more than infoKeyBudget keys. An unknown section gives its heading.
func info(c *Call) error {
	server := serverOf(c.Txn.Context())
	sections := sectionsFor(server)
	var want []string
	explicit := false
	for _, arg := range c.Args[1:] {
		switch s := strings.ToLower(arg); s {
		case "default", "all", "everything":
			want = append(want, sections...)
		default:
			want = append(want, s)
			explicit = explicit || s == "keyspace"
		}
	}
	if len(c.Args) == 1 {
		want = sections
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
	for _, s := range sections {
		if !slices.Contains(want, s) {
			continue
		}
		section(s)
		switch s {
		case "server":
			infoServer(c, server, line)
		case "clients":
			infoClients(c, server, line)
		case "memory":
			infoMemory(server, line)
		case "stats":
			infoStats(server, line)
		case "persistence":
			line("loading", 0)
			line("rdb_last_bgsave_status", "ok")
			line("aof_enabled", 1)
		case "replication":
			infoReplication(server, line)
		case "cluster":
			line("cluster_enabled", 0)
		case "keyspace":
			limit := int64(infoKeyBudget)
			if explicit {
				limit = 0
			}
			if keys, expires, ok := c.Txn.CountExpiring(limit); ok && keys > 0 {
				line("db0", fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0", keys, expires))
			}
		}
	}
	for i, s := range want {
		if !slices.Contains(sections, s) && !slices.Contains(want[:i], s) {
			section(s)
		}
	}
	c.W.Verbatim(b.String())
	return nil
}

func infoServer(c *Call, server *ServerInfo, line func(name string, value any)) {
	now := c.Host.Now()
	up := int64(now.Sub(c.Host.Started).Seconds())
	line("redis_version", Version)
	line("redis_git_sha1", "00000000")
	line("redis_git_dirty", 0)
	line("redis_mode", "standalone")
	line("skystash_version", buildVersion())
	line("os", runtime.GOOS)
	line("arch_bits", 64)
	line("go_version", runtime.Version())
	line("server_time_usec", now.UnixMicro())
	line("uptime_in_seconds", up)
	line("uptime_in_days", up/86400)
	if server != nil {
		line("tcp_port", server.Port)
		line("run_id", server.RunID)
	}
}

// buildVersion is the module's version as the build recorded it.
func buildVersion() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}
