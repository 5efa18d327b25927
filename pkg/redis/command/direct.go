package command

import (
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Direct is a command that is about to be tried as one blind write of its first key.
type Direct struct {
	keyspace.Blind
	Command *Command
	Args    []string
	W       *resp.Writer // for the plan's Reply and Replay
}
