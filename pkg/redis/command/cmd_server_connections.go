package command

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
)

// What INFO and CONFIG GET tell of the server of connections that the client uses. Over HTTP there is none.

// nativeSections are those that only a server of connections has.
var nativeSections = []string{"persistence", "replication", "cpu", "modules", "commandstats", "errorstats", "latencystats"}

// defaultSections are those of sections that INFO shows when it is asked for none.
func defaultSections(sections []string) []string {
	return slices.DeleteFunc(slices.Clone(sections), func(s string) bool { return slices.Contains(perCommand, s) })
}

// sectionsFor are the sections that there are; some only a server of connections has.
func sectionsFor(server *ServerInfo) []string {
	if server != nil {
		return infoSections
	}
	return slices.DeleteFunc(slices.Clone(infoSections), func(s string) bool { return slices.Contains(nativeSections, s) })
}

// serverOf is what the caller's server tells of itself; nil: there is none.
func serverOf(ctx context.Context) *ServerInfo {
	caller := CallerOf(ctx)
	if caller == nil || caller.Server == nil {
		return nil
	}
	s := caller.Server()
	return &s
}

func infoClients(c *Call, s *ServerInfo, line func(name string, value any)) {
	if s == nil {
		line("connected_clients", 0)
		line("blocked_clients", 0)
		return
	}
	line("connected_clients", s.Clients)
	line("maxclients", s.MaxClients)
	line("blocked_clients", s.Blocked)
	line("pubsub_clients", s.Subscribers)
	line("tracking_clients", 0)
	keys, gone := c.Host.Awaited(c.Txn.Database().ID)
	line("total_blocking_keys", keys)
	line("total_blocking_keys_on_nokey", gone)
}

func infoMemory(s *ServerInfo, line func(name string, value any)) {
	if s != nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		line("used_memory", m.HeapAlloc)
		line("used_memory_human", fmt.Sprintf("%.2fM", float64(m.HeapAlloc)/(1<<20)))
		line("used_memory_rss", m.Sys)
		line("used_memory_peak", m.Sys)
		line("used_memory_peak_human", fmt.Sprintf("%.2fM", float64(m.Sys)/(1<<20)))
		line("mem_fragmentation_ratio", "1.00")
		line("mem_allocator", "go")
		line("mem_clients_normal", s.HeldBytes)
	}
	line("maxmemory", 0)
	line("maxmemory_human", "0B")
	line("maxmemory_policy", "noeviction")
}

func infoStats(s *ServerInfo, line func(name string, value any)) {
	if s != nil {
		line("total_connections_received", s.TotalConnections)
		line("total_commands_processed", s.TotalCommands)
		line("instantaneous_ops_per_sec", s.CommandsPerSec)
		line("total_net_input_bytes", s.NetInput)
		line("total_net_output_bytes", s.NetOutput)
		line("instantaneous_input_kbps", fmt.Sprintf("%.2f", s.InputRate/1024))
		line("instantaneous_output_kbps", fmt.Sprintf("%.2f", s.OutputRate/1024))
		line("rejected_connections", 0)
		line("keyspace_hits", s.Hits)
		line("keyspace_misses", s.Misses)
		if s.Listening != nil {
			channels, patterns, shards := s.Listening()
			line("pubsub_channels", channels)
			line("pubsub_patterns", patterns)
			line("pubsubshard_channels", shards)
		}
	}
	line("evicted_keys", 0)
	if s != nil {
		line("evicted_clients", s.EvictedClients)
		line("client_output_buffer_limit_disconnections", s.SlowClients)
		line("total_error_replies", s.ErrorReplies)
	}
}

// infoPersistence tells that everything is saved always.
func infoPersistence(c *Call, line func(name string, value any)) {
	line("loading", 0)
	line("async_loading", 0)
	line("rdb_changes_since_last_save", 0)
	line("rdb_bgsave_in_progress", 0)
	line("rdb_last_save_time", c.Host.Now().Unix())
	line("rdb_last_bgsave_status", "ok")
	line("aof_enabled", 1)
	line("aof_rewrite_in_progress", 0)
	line("aof_last_bgrewrite_status", "ok")
	line("aof_last_write_status", "ok")
}

func infoReplication(s *ServerInfo, line func(name string, value any)) {
	line("role", "master")
	line("connected_slaves", 0)
	line("master_failover_state", "no-failover")
	line("master_replid", s.RunID)
	line("master_repl_offset", 0)
}

// parametersFor are what CONFIG GET tells of a server of connections. Tools ask for them before they begin.
func parametersFor(s *ServerInfo) [][2]string {
	if s == nil {
		return nil
	}
	out := append(layoutParameters(), [][2]string{
		{"appendfsync", "always"},
		{"appendonly", "yes"},
		{"cluster-enabled", "no"},
		{"daemonize", "no"},
		{"databases", "1"},
		{"lua-time-limit", "5000"},
		{"maxclients", strconv.Itoa(s.MaxClients)},
		{"maxmemory", "0"},
		{"maxmemory-policy", "noeviction"},
		{"port", strconv.Itoa(s.Port)},
		{"proto-max-bulk-len", strconv.Itoa(10 << 20)},
		{"save", ""},
		{"tcp-keepalive", "60"},
		{"timeout", "0"},
	}...)
	return append(out, s.Parameters...)
}
