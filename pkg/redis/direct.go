package redis

// direct is a command that is about to be tried as one blind write of its first key.
type direct struct {
	blind
	cmd  *command
	args []string
}
