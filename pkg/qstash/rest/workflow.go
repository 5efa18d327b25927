package rest

func (c *call) hook() (handled bool, err error) { return false, nil }
func (c *call) trigger(string) error            { return errNotFound }
func (c *call) batchTrigger() error             { return errNotFound }
func (c *call) wait() error                     { return errNotFound }
func (c *call) notify() error                   { return errNotFound }
func (c *call) waiters() error                  { return errNotFound }
func (c *call) workflows() error                { return errNotFound }
