// Package scenario is what each client for Go does against a broker: administration, every codec, reading from a given
// place, and a group of three of which one leaves and one is killed.
//
// The connection comes from the environment: KAFKA_BROKERS, KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_TLS_CA for TLS. The
// mechanism and a name for topics are arguments.
package scenario

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	messages   = 300
	partitions = 3
	patience   = 60 * time.Second
)

// Message is one that was read, or is to be produced.
type Message struct {
	Partition          int32
	Offset             int64
	Key, Value, Header string // the header's name is "codec"
}

// Member is a member of a group.
type Member interface {
	// Poll waits for messages, but not for long.
	Poll() ([]Message, error)
	// Commit commits what Poll has returned. It may fail because the group begins anew.
	Commit() error
	Leave() error
}

// Client is a client for Go.
type Client struct {
	Name   string
	Codecs []string

	CreateTopic  func(topic string, partitions int) error
	Produce      func(topic, codec string, all []Message) error
	Read         func(ctx context.Context, topic string, partition int32, from int64, n int) ([]Message, error)
	Join         func(group, topic string) (Member, error)
	Administrate func(topic string) error // of its own choice
	Committed    func(group, topic string, partitions int32) (sum int64, err error)
	DeleteGroup  func(group string) error
}

// Connection is how to reach the broker.
type Connection struct {
	Brokers, Username, Password, CA string
	Mechanism                       string
}

// memberEnv makes the program a member of a group: "group topic".
const memberEnv = "SCENARIO_MEMBER"

// Main runs a client, and ends the program.
func Main(client func(Connection) (*Client, error)) {
	if err := run(client); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(client func(Connection) (*Client, error)) error {
	if len(os.Args) != 3 {
		return errors.New("usage: MECHANISM TOPIC")
	}
	c, err := client(Connection{
		Brokers: os.Getenv("KAFKA_BROKERS"), Username: os.Getenv("KAFKA_USERNAME"), Password: os.Getenv("KAFKA_PASSWORD"), CA: os.Getenv("KAFKA_TLS_CA"),
		Mechanism: os.Args[1],
	})
	if err != nil {
		return err
	}
	if group, topic, ok := strings.Cut(os.Getenv(memberEnv), " "); ok {
		return c.beMember(group, topic)
	}
	topic := os.Args[2]
	if err := c.Administrate(topic + "-admin"); err != nil {
		return fmt.Errorf("administration: %w", err)
	}
	for _, codec := range c.Codecs {
		if err := c.codec(topic+"-"+codec, codec); err != nil {
			return fmt.Errorf("codec %s: %w", codec, err)
		}
	}
	if err := c.group(topic+"-"+c.Codecs[0], topic+"-group"); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	fmt.Println(c.Name, os.Args[1], "ok")
	return nil
}

// batch is what is produced at once.
func batch(codec string, first int) (out []Message) {
	for i := range messages {
		out = append(out, Message{Partition: int32(i % partitions), Key: fmt.Sprint("key-", i%9), Value: strings.Repeat(fmt.Sprint(first+i, " "), 20), Header: codec})
	}
	return out
}

// codec produces with a codec and reads from the beginning, and from the middle.
func (c *Client) codec(topic, codec string) error {
	if err := c.CreateTopic(topic, partitions); err != nil {
		return err
	}
	if err := c.Produce(topic, codec, batch(codec, 0)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for p := range int32(partitions) {
		for _, from := range []int64{0, 40} {
			n := messages/partitions - int(from)
			got, err := c.Read(ctx, topic, p, from, n)
			if err != nil {
				return err
			}
			for i, m := range got {
				want := int(p) + partitions*(int(from)+i)
				if m.Offset != from+int64(i) || m.Key != fmt.Sprint("key-", want%9) || m.Value != strings.Repeat(fmt.Sprint(want, " "), 20) || m.Header != codec {
					return fmt.Errorf("partition %d from %d, message %d: %+v", p, from, i, m)
				}
			}
		}
	}
	return nil
}

// tally is which messages a group has read.
type tally struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (t *tally) add(place string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[place] = true
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.seen)
}

func place(m Message) string { return fmt.Sprint(m.Partition, "/", m.Offset) }

// group is a group of two members here, and one in a process of its own.
func (c *Client) group(topic, group string) error {
	t := &tally{seen: map[string]bool{}}
	child, err := startMember(group, topic, t)
	if err != nil {
		return err
	}
	defer child.stop()
	var members []Member
	for range 2 {
		m, err := c.Join(group, topic)
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	until := func(n int) error {
		end := time.Now().Add(patience)
		for t.count() < n {
			if time.Now().After(end) {
				return fmt.Errorf("%d messages of %d", t.count(), n)
			}
			for _, m := range members {
				got, err := m.Poll()
				if err != nil {
					return err
				}
				for _, one := range got {
					t.add(place(one))
				}
				if len(got) > 0 {
					_ = m.Commit() // what was not committed is read again, and counted once
				}
			}
		}
		return nil
	}
	if err := until(messages); err != nil {
		return fmt.Errorf("three members: %w", err)
	}
	if err := members[0].Leave(); err != nil {
		return fmt.Errorf("leaving: %w", err)
	}
	members = members[1:]
	if err := c.Produce(topic, c.Codecs[0], batch("", messages)); err != nil {
		return err
	}
	if err := until(2 * messages); err != nil {
		return fmt.Errorf("after one has left: %w", err)
	}
	child.stop()
	if err := c.Produce(topic, c.Codecs[0], batch("", 2*messages)); err != nil {
		return err
	}
	if err := until(3 * messages); err != nil {
		return fmt.Errorf("after one was killed: %w", err)
	}
	for end := time.Now().Add(patience); ; {
		err := members[0].Commit()
		sum, also := c.Committed(group, topic, partitions)
		if err == nil && also == nil && sum == 3*messages {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d offsets are committed: %w", sum, errors.Join(err, also))
		}
		if _, err := members[0].Poll(); err != nil {
			return err
		}
	}
	if err := members[0].Leave(); err != nil {
		return fmt.Errorf("leaving: %w", err)
	}
	if err := c.DeleteGroup(group); err != nil {
		return fmt.Errorf("deleting the group: %w", err)
	}
	return nil
}

// child is a member in a process of its own.
type child struct {
	cmd  *exec.Cmd
	read sync.WaitGroup
}

func startMember(group, topic string, t *tally) (*child, error) {
	c := &child{cmd: exec.Command(os.Args[0], os.Args[1:]...)}
	c.cmd.Env = append(os.Environ(), memberEnv+"="+group+" "+topic)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.read.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			partition, offset, ok := strings.Cut(lines.Text(), "/")
			if _, err := strconv.Atoi(partition + offset); ok && err == nil {
				t.add(lines.Text())
			}
		}
	})
	return c, nil
}

// stop kills the process.
func (c *child) stop() {
	_ = c.cmd.Process.Kill()
	c.read.Wait()
	_ = c.cmd.Wait()
}

// beMember reads, says so and commits, until the process is killed.
func (c *Client) beMember(group, topic string) error {
	m, err := c.Join(group, topic)
	if err != nil {
		return err
	}
	for {
		got, err := m.Poll()
		if err != nil {
			return err
		}
		for _, one := range got {
			fmt.Println(place(one))
		}
		if len(got) > 0 {
			_ = m.Commit()
		}
	}
}
