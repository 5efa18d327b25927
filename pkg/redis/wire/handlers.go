package wire

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis"
)

// multiMode says what happens to a command between MULTI and EXEC.
type multiMode uint8

const (
	queued  multiMode = iota // it is carried out by EXEC
	atOnce                   // it is carried out at once
	refused                  // it is refused, and the transaction with it
)

// handler carries out commands of one name. The engine's command table says what is common to Redis's
// commands; a handler says how this server carries one out.
type handler struct {
	run      func(b *batch, args []string)
	stranger bool // nobody need have logged in
	listener bool // a subscriber of RESP2 may send it, too
	inMulti  multiMode
}

// handlers are those of the commands that belong to a connection, by their full names. PING is the engine's, but
// not for a subscriber of RESP2.
func handlers() map[string]handler {
	return map[string]handler{
		"auth":  {run: auth, stranger: true, inMulti: refused},
		"hello": {run: hello, stranger: true, inMulti: refused},
		"reset": {run: reset, stranger: true, listener: true, inMulti: atOnce},
		"quit":  {run: quit, stranger: true, listener: true, inMulti: atOnce},
		"ping":  {run: pingListening, listener: true},

		"select":    {run: selectDB},
		"readonly":  {run: refuse(errCluster)},
		"readwrite": {run: refuse(errCluster)},
		"asking":    {run: refuse(errCluster)},

		"multi":   {run: multi, inMulti: atOnce},
		"exec":    {run: exec, inMulti: atOnce},
		"discard": {run: discard, inMulti: atOnce},
		"watch":   {run: watch, inMulti: atOnce},
		"unwatch": {run: unwatch},

		"subscribe":    {run: subscribe, listener: true},
		"psubscribe":   {run: psubscribe, listener: true},
		"ssubscribe":   {run: ssubscribe, listener: true},
		"sunsubscribe": {run: sunsubscribe, listener: true},
		"unsubscribe":  {run: unsubscribe, listener: true},
		"punsubscribe": {run: punsubscribe, listener: true},
		"monitor":      {run: monitor},

		"client|caching":      {run: clientCaching},
		"client|getname":      {run: clientGetName},
		"client|getredir":     {run: clientGetRedir},
		"client|id":           {run: clientID},
		"client|info":         {run: clientInfo},
		"client|kill":         {run: clientKill},
		"client|list":         {run: clientList},
		"client|no-evict":     {run: clientSwitch},
		"client|no-touch":     {run: clientSwitch},
		"client|pause":        {run: clientPause},
		"client|reply":        {run: clientReply, inMulti: refused},
		"client|setinfo":      {run: clientSetInfo},
		"client|setname":      {run: clientSetName},
		"client|tracking":     {run: clientTracking},
		"client|trackinginfo": {run: clientTrackingInfo},
		"client|unblock":      {run: clientUnblock},
		"client|unpause":      {run: clientUnpause},

		"memory|doctor": {run: memoryDoctor},
		"memory|purge":  {run: ok},
		"memory|stats":  {run: memoryStats},

		"role":              {run: role},
		"lastsave":          {run: lastSave},
		"cluster":           {run: refuse(errCluster)},
		"debug":             {run: debugCommand},
		"module|list":       {run: emptyArray},
		"slowlog|get":       {run: slowlogGet},
		"slowlog|len":       {run: slowlogLen},
		"slowlog|reset":     {run: slowlogReset},
		"latency|latest":    {run: latencyLatest},
		"latency|graph":     {run: latencyGraph},
		"latency|history":   {run: latencyHistory},
		"latency|reset":     {run: latencyReset},
		"latency|doctor":    {run: latencyDoctor},
		"latency|histogram": {run: latencyHistogram},
	}
}

// byCommand are the handlers by the numbers of commands. One of a command with subcommands is that of all of them.
func byCommand(engine *redis.Engine) []handler {
	out := make([]handler, engine.CommandCount())
	for name, h := range handlers() {
		cmd := engine.CommandOf(strings.Split(name, "|"))
		out[cmd.Number()] = h
		for _, sub := range cmd.Subcommands {
			out[sub.Number()] = h
		}
	}
	return out
}

// handlerOf is the handler of a command; a zero one if it is the engine's alone.
func (s *Server) handlerOf(args []string) handler {
	if cmd := s.engine.CommandOf(args); cmd != nil {
		return s.handlers[cmd.Number()]
	}
	return handler{}
}

// refuse makes a handler that answers with an error.
func refuse(text string) func(*batch, []string) { return func(b *batch, _ []string) { b.fail(text) } }

func ok(b *batch, _ []string)         { b.w.OK() }
func emptyArray(b *batch, _ []string) { b.w.Array(0) }

// ROLE
func role(b *batch, _ []string) {
	b.w.Array(3)
	b.w.Bulk("master")
	b.w.Int(0)
	b.w.Array(0)
}

// LASTSAVE
func lastSave(b *batch, _ []string) { b.w.Int(b.s.now().Unix()) }
