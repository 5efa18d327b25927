package command

import (
	"fmt"
	"os"
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

// infoSections are the sections of INFO, in order. Those of perCommand are not in the default.
var infoSections = []string{"server", "clients", "memory", "persistence", "stats", "replication", "cpu", "modules", "commandstats", "errorstats", "latencystats", "cluster", "keyspace"}

// perCommand are sections with a line for each command.
var perCommand = []string{"commandstats", "latencystats"}

// infoKeyBudget is how many keys INFO counts when nobody asked for the keyspace.
const infoKeyBudget = 1000

// INFO [section [section ...]]
//
// All sections but those of perCommand make up the default, in which keyspace has no figures if the database has
// more than infoKeyBudget keys. An unknown section gives its heading.
func info(c *Call) error {
	server := serverOf(c.Txn.Context())
	sections := sectionsFor(server)
	var want []string
	explicit := false
	for _, arg := range c.Args[1:] {
		switch s := strings.ToLower(arg); s {
		case "all", "everything":
			want = append(want, sections...)
		case "default":
			want = append(want, defaultSections(sections)...)
		default:
			want = append(want, s)
			explicit = explicit || s == "keyspace"
		}
	}
	if len(c.Args) == 1 {
		want = defaultSections(sections)
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
			infoPersistence(c, line)
		case "cpu":
			if system, user, ok := cpuSeconds(); ok {
				line("used_cpu_sys", fmt.Sprintf("%.6f", system))
				line("used_cpu_user", fmt.Sprintf("%.6f", user))
				line("used_cpu_sys_children", "0.000000")
				line("used_cpu_user_children", "0.000000")
			}
		case "commandstats", "errorstats", "latencystats":
			if server.Section != nil {
				server.Section(s, line)
			}
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
	line("process_id", os.Getpid())
	line("go_version", runtime.Version())
	line("server_time_usec", now.UnixMicro())
	line("uptime_in_seconds", up)
	line("uptime_in_days", up/86400)
	if server != nil {
		line("tcp_port", server.Port)
		line("run_id", server.RunID)
		line("io_threads_active", 0)
	}
}

// buildVersion is the module's version as the build recorded it.
func buildVersion() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}
