package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	groupSize = 10
	heartbeat = 3 * time.Second // clients' default
	// perCredential is how many members use one credential: a server bounds that.
	perCredential = 500
)

// mint makes another credential of the cluster.
func (s *server) mint(ctx context.Context) (user, password string, err error) {
	var clusters []struct {
		ID string `json:"cluster_id"`
	}
	if err := s.call(ctx, http.MethodGet, "/v2/kafka/clusters", nil, &clusters); err != nil {
		return "", "", err
	}
	var made struct{ Username, Password string }
	err = s.call(ctx, http.MethodPost, "/v2/kafka/credential", map[string]string{
		"credential_name": rand.Text(), "cluster_id": clusters[0].ID, "topic": "*", "permissions": "ALL",
	}, &made)
	return made.Username, made.Password, err
}

// call calls the Developer API.
func (s *server) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(s.email, s.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s: %s", path, resp.Status, text)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// idle lets members join groups and send nothing but heartbeats.
func idle(ctx context.Context, s *server, p plan, note func(what, value string)) error {
	members, d := p.members, time.Duration(p.seconds)*time.Second
	bare, err := s.memory()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer stop()
	failed := make(chan error, members)
	login := *s
	for g := range members / groupSize {
		if g*groupSize%perCredential == 0 && g > 0 {
			if login.user, login.credential, err = s.mint(ctx); err != nil {
				return fmt.Errorf("making a credential: %w", err)
			}
		}
		all, err := joinGroup(&login, fmt.Sprint("group-", g))
		if err != nil {
			return fmt.Errorf("group %d: %w", g, err)
		}
		for _, m := range all {
			beating.Go(func() { failed <- m.beat(ctx) })
		}
	}
	used, err := s.processor()
	if err != nil {
		return err
	}
	begin := time.Now()
	profiled := make(chan error, 1)
	if p.profile != "" {
		go func() { profiled <- s.profile(ctx, p.profile, p.seconds) }()
	}
	select {
	case err := <-failed:
		return fmt.Errorf("a member: %w", err)
	case <-time.After(d):
	}
	after, err := s.processor()
	if err != nil {
		return err
	}
	memory, err := s.memory()
	if err != nil {
		return err
	}
	if p.profile != "" {
		if err := <-profiled; err != nil {
			return fmt.Errorf("the profile: %w", err)
		}
	}
	who := fmt.Sprintf("%d idle members of groups of %d: ", members, groupSize)
	note(who+"memory of the process, MB", fmt.Sprintf("%d", memory/1e6))
	note(who+"of which it had without them, MB", fmt.Sprintf("%d", bare/1e6))
	note(who+"of a core", fmt.Sprintf("%.1f %%", 100*(after-used).Seconds()/time.Since(begin).Seconds()))
	return nil
}

// profile writes a profile of the processor time of some seconds.
func (s *server) profile(ctx context.Context, file string, seconds int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", s.url, seconds), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// member is a member of a group, with its connection.
type member struct {
	net.Conn
	next       int32
	group, id  string
	generation int32
}

func (m *member) do(req kmsg.Request) (kmsg.Response, error) {
	m.next++
	if err := m.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := m.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, m.next)); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(m, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(m, b); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	return resp, resp.ReadFrom(b)
}

func dial(s *server, group string) (*member, error) {
	c, err := net.Dial("tcp", s.brokers)
	if err != nil {
		return nil, err
	}
	m := &member{Conn: c, group: group}
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = "PLAIN"
	hello.SetVersion(1)
	if _, err := m.do(hello); err != nil {
		return nil, err
	}
	login := kmsg.NewPtrSASLAuthenticateRequest()
	login.SASLAuthBytes = []byte("\x00" + s.user + "\x00" + s.credential)
	login.SetVersion(1)
	resp, err := m.do(login)
	if err == nil && resp.(*kmsg.SASLAuthenticateResponse).ErrorCode != 0 {
		err = fmt.Errorf("%+v", resp)
	}
	return m, err
}

// joinGroup makes a group.
func joinGroup(s *server, group string) ([]*member, error) {
	members := make([]*member, groupSize)
	errs := make(chan error, groupSize)
	for i := range members {
		go func() {
			var err error
			if members[i], err = dial(s, group); err == nil {
				err = members[i].join(3) // of version 3: without asking for an id first
			}
			errs <- err
		}()
	}
	for range members {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	return members, nil
}

// join joins and gets a part. Members that come meanwhile make it join again.
func (m *member) join(version int16) error {
	for {
		req := kmsg.NewPtrJoinGroupRequest()
		req.SetVersion(version)
		req.Group, req.MemberID, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = m.group, m.id, 45000, 60000, "consumer"
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name = "range"
		req.Protocols = append(req.Protocols, p)
		resp, err := m.do(req)
		if err != nil {
			return err
		}
		joined := resp.(*kmsg.JoinGroupResponse)
		if joined.ErrorCode != 0 {
			return fmt.Errorf("JoinGroup: %d", joined.ErrorCode)
		}
		m.id, m.generation = joined.MemberID, joined.Generation
		part := kmsg.NewPtrSyncGroupRequest()
		part.SetVersion(version)
		part.Group, part.MemberID, part.Generation = m.group, m.id, m.generation
		resp, err = m.do(part)
		if err != nil {
			return err
		}
		switch code := resp.(*kmsg.SyncGroupResponse).ErrorCode; code {
		case 0:
			return nil
		case 22, 27: // the group begins anew
		default:
			return fmt.Errorf("SyncGroup: %d", code)
		}
	}
}

// beat sends heartbeats until the context ends.
func (m *member) beat(ctx context.Context) error {
	defer m.Close()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		req := kmsg.NewPtrHeartbeatRequest()
		req.SetVersion(3)
		req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
		resp, err := m.do(req)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		switch code := resp.(*kmsg.HeartbeatResponse).ErrorCode; code {
		case 0:
		case 27: // somebody has come late
			if err := m.join(3); err != nil {
				return err
			}
		default:
			return fmt.Errorf("a heartbeat is answered by error %d", code)
		}
	}
}
