package launch

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTasksWriteWhatTheMeterHoldsEveryMinuteAndInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := 0
		ended, over := make(chan struct{}), make(chan struct{})
		go func() {
			writeMeter(func() { written++ }, ended)
			close(over)
		}()
		time.Sleep(150 * time.Second)
		synctest.Wait()
		if written != 2 {
			t.Errorf("written %d times in two minutes and a half", written)
		}
		close(ended)
		<-over
		if written != 3 {
			t.Errorf("written %d times until the end", written)
		}
	})
}
