// Command asynq uses hibiken/asynq: tasks that are done, delayed, tried again, unique, periodic and archived, and what an inspector
// sees of them.
//
// REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. It ends with status 1 if anything is not as it expects, and
// prints what it has done.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const wait = time.Minute

func main() {
	if err := run(); err != nil {
		fmt.Println("asynq:", err)
		os.Exit(1)
	}
	fmt.Println("asynq ok")
}

// connection is what asynq connects with. asynq.ParseRedisURI trusts the system's certificates only.
type connection struct{ *redis.Options }

// MakeRedisClient makes asynq.RedisConnOpt of it.
func (c connection) MakeRedisClient() any { return redis.NewClient(c.Options) }

func newConnection() (c connection, err error) {
	if c.Options, err = redis.ParseURL(os.Getenv("REDIS_URL")); err != nil || c.TLSConfig == nil {
		return c, err
	}
	ca, err := os.ReadFile(os.Getenv("REDIS_TLS_CA"))
	if err != nil {
		return c, err
	}
	c.TLSConfig.RootCAs = x509.NewCertPool()
	c.TLSConfig.RootCAs.AppendCertsFromPEM(ca)
	c.TLSConfig.MinVersion = tls.VersionTLS12
	return c, nil
}

// done counts what has been carried out.
type done struct {
	mu    sync.Mutex
	times map[string]int // by the task's payload
	all   chan string
}

func (d *done) handle(_ context.Context, task *asynq.Task) error {
	what := string(task.Payload())
	d.mu.Lock()
	d.times[what]++
	n := d.times[what]
	d.mu.Unlock()
	d.all <- what
	if task.Type() == "fails" && n == 1 {
		return errors.New("at first")
	}
	if task.Type() == "is refused" {
		return fmt.Errorf("as it should: %w", asynq.SkipRetry)
	}
	if w := task.ResultWriter(); w != nil {
		_, err := w.Write([]byte("result of " + what))
		return err
	}
	return nil
}

// await waits until n tasks have been carried out.
func (d *done) await(n int) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for i := range n {
		select {
		case <-d.all:
		case <-timer.C:
			return fmt.Errorf("%d tasks of %d", i, n)
		}
	}
	return nil
}

// until waits for what becomes true at some time.
func until(what string, isTrue func() (bool, error)) error {
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok, err := isTrue(); ok || err != nil {
			return err
		}
	}
	return errors.New("never: " + what)
}

func run() error {
	c, err := newConnection()
	if err != nil {
		return err
	}
	if err := c.MakeRedisClient().(*redis.Client).FlushDB(context.Background()).Err(); err != nil {
		return err
	}
	d := &done{times: map[string]int{}, all: make(chan string, 1000)}
	server := asynq.NewServer(c, asynq.Config{
		Concurrency: 8, LogLevel: asynq.ErrorLevel, DelayedTaskCheckInterval: 100 * time.Millisecond, TaskCheckInterval: 50 * time.Millisecond,
		Queues:         map[string]int{"critical": 3, "default": 1},
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 100 * time.Millisecond },
	})
	if err := server.Start(asynq.HandlerFunc(d.handle)); err != nil {
		return err
	}
	defer server.Shutdown()
	client := asynq.NewClient(c)
	defer client.Close()
	inspector := asynq.NewInspector(c)
	defer inspector.Close()
	for _, step := range []func(*asynq.Client, *asynq.Inspector, *done) error{tasks, later, failures, paused} {
		if err := step(client, inspector, d); err != nil {
			return err
		}
	}
	return periodic(c, d)
}

// tasks are done once each, and their results are there.
func tasks(client *asynq.Client, inspector *asynq.Inspector, d *done) error {
	const n = 100
	var last *asynq.TaskInfo
	for i := range n {
		queue := "default"
		if i%3 == 0 {
			queue = "critical"
		}
		var err error
		if last, err = client.Enqueue(asynq.NewTask("plain", fmt.Append(nil, i)), asynq.Queue(queue), asynq.Retention(time.Hour)); err != nil {
			return err
		}
	}
	if err := d.await(n); err != nil {
		return err
	}
	for what, times := range d.times {
		if times != 1 {
			return fmt.Errorf("%s was done %d times", what, times)
		}
	}
	return until("the result", func() (bool, error) {
		info, err := inspector.GetTaskInfo(last.Queue, last.ID)
		return err == nil && info.State == asynq.TaskStateCompleted && string(info.Result) == fmt.Sprintf("result of %d", n-1), err
	})
}

// later are tasks that are delayed, and one that may be there only once.
func later(client *asynq.Client, inspector *asynq.Inspector, d *done) error {
	begin := time.Now()
	if _, err := client.Enqueue(asynq.NewTask("plain", []byte("later")), asynq.ProcessIn(2*time.Second)); err != nil {
		return err
	}
	if err := d.await(1); err != nil {
		return err
	}
	if since := time.Since(begin); since < time.Second { // it counts in whole seconds
		return fmt.Errorf("a task that was delayed by two seconds is done after %v", since)
	}
	unique := asynq.NewTask("plain", []byte("unique"))
	info, err := client.Enqueue(unique, asynq.ProcessIn(time.Hour), asynq.Unique(time.Hour))
	if err != nil {
		return err
	}
	if _, err := client.Enqueue(unique, asynq.Unique(time.Hour)); !errors.Is(err, asynq.ErrDuplicateTask) {
		return fmt.Errorf("a second task: %v", err)
	}
	if err := inspector.RunTask(info.Queue, info.ID); err != nil {
		return err
	}
	return d.await(1)
}

// failures are tried again, or archived.
func failures(client *asynq.Client, inspector *asynq.Inspector, d *done) error {
	if _, err := client.Enqueue(asynq.NewTask("fails", []byte("fails"))); err != nil {
		return err
	}
	if err := d.await(2); err != nil {
		return err
	}
	info, err := client.Enqueue(asynq.NewTask("is refused", []byte("refused")))
	if err != nil {
		return err
	}
	if err := until("archived", func() (bool, error) {
		got, err := inspector.GetTaskInfo(info.Queue, info.ID)
		return err == nil && got.State == asynq.TaskStateArchived, err
	}); err != nil {
		return err
	}
	<-d.all
	archived, err := inspector.ListArchivedTasks(info.Queue)
	if err != nil || len(archived) != 1 {
		return fmt.Errorf("%d archived tasks: %w", len(archived), err)
	}
	return inspector.DeleteTask(info.Queue, info.ID)
}

// paused queues do nothing until they go on.
func paused(client *asynq.Client, inspector *asynq.Inspector, d *done) error {
	if err := inspector.PauseQueue("default"); err != nil {
		return err
	}
	if _, err := client.Enqueue(asynq.NewTask("plain", []byte("paused"))); err != nil {
		return err
	}
	info, err := inspector.GetQueueInfo("default")
	if err != nil || !info.Paused || info.Pending != 1 {
		return fmt.Errorf("a paused queue: %+v: %w", info, err)
	}
	servers, err := inspector.Servers()
	if err != nil || len(servers) != 1 {
		return fmt.Errorf("%d servers: %w", len(servers), err)
	}
	if err := inspector.UnpauseQueue("default"); err != nil {
		return err
	}
	return d.await(1)
}

// periodic tasks come again and again.
func periodic(c connection, d *done) error {
	scheduler := asynq.NewScheduler(c, &asynq.SchedulerOpts{LogLevel: asynq.ErrorLevel})
	if _, err := scheduler.Register("@every 1s", asynq.NewTask("plain", []byte("periodic"))); err != nil {
		return err
	}
	if err := scheduler.Start(); err != nil {
		return err
	}
	defer scheduler.Shutdown()
	return d.await(2)
}
