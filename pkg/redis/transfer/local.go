package transfer

import (
	"bufio"
	"bytes"
	"context"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// Local is a Peer without a connection: Run is an engine's, for one database.
type Local struct {
	Run func(ctx context.Context, args []string, w *resp.Writer) error
}

// Do implements Peer.
func (l Local) Do(ctx context.Context, cmds ...[]string) ([]any, error) {
	replies := make([]any, 0, len(cmds))
	var w resp.Writer
	for _, args := range cmds {
		w.Reset()
		if err := l.Run(ctx, args, &w); err != nil {
			return nil, err
		}
		flat, err := resp.AppendRESP2(nil, w.Buf)
		if err != nil {
			return nil, err
		}
		reply, err := readReply(bufio.NewReader(bytes.NewReader(flat)), 0)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}
