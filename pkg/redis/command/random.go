package command

import "math"

// What HRANDFIELD, SRANDMEMBER and ZRANDMEMBER share.

const errRandomRange Error = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"

// randomArgs reads [count [option]] from argument 2 on. A negative count allows repetitions.
func (c *Call) randomArgs(option string) (n int64, with bool, err error) {
	if len(c.Args) == 2 {
		return 1, false, nil
	}
	if n, err = c.Int(2); err != nil {
		return 0, false, err
	}
	switch {
	case n == math.MinInt64:
		return 0, false, errRandomRange
	case len(c.Args) > 4 || len(c.Args) == 4 && !c.Is(3, option):
		return 0, false, ErrSyntax
	case len(c.Args) == 4 && (n < -math.MaxInt64/2 || n > math.MaxInt64/2):
		return 0, false, Error("ERR value is out of range")
	}
	return n, len(c.Args) == 4, nil
}

// writeRandom replies with n random ones of size members: distinct ones, or for a negative n exactly -n that may
// repeat. random returns some distinct ones, write writes one and how many replies it has written.
func writeRandom[M any](c *Call, size int64, random func(n int64) []M, n int64, write func(M) int) error {
	var picks []M
	if n >= 0 {
		picks = random(n)
	} else {
		picks = random(min(-n, randomPool))
	}
	total := int64(len(picks))
	if n < 0 && total > 0 {
		total = -n
	}
	mark, used, replies := c.W.Mark(), 0, 0
	for range total {
		var p M
		// With repetitions, every one of the size members must be equally likely at each draw. So a
		// member that was drawn before is drawn again with probability used/size. Otherwise the
		// next member that was not drawn yet is taken.
		if used < len(picks) && (n >= 0 || c.Host.Random.Int64N(size) >= int64(used)) {
			p = picks[used]
			used++
		} else {
			p = picks[c.Host.Random.IntN(used)]
		}
		replies += write(p)
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	if replies > int(total) {
		c.W.PairsAt(mark, int(total))
	} else {
		c.W.ArrayAt(mark, replies)
	}
	return nil
}

// randomPool bounds how many different members are read for picks that may repeat.
const randomPool = 1000
