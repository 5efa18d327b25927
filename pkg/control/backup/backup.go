package backup

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/transfer"
)

const (
	// MaxName bounds the name of a backup, in bytes.
	MaxName = 100

	// MaxBackups bounds the backups of a database.
	MaxBackups = 100

	// Patience is how long a backup may take until it counts as failed: as long as a function of Lambda may run.
	Patience = 15 * time.Minute
)

// Errors of Backups.
var (
	ErrNoBackup = errors.New("backup not found")
	ErrTooMany  = fmt.Errorf("a database can have %d backups: delete one first", MaxBackups)
	ErrName     = fmt.Errorf("the name of a backup has 1 to %d bytes", MaxName)
	ErrUnfit    = errors.New("the backup cannot be restored")
)

// State is how far a backup is, in the words of Upstash's API.
type State string

// States of a backup.
const (
	Pending   State = "pending"
	Completed State = "completed"
	Failed    State = "failed"
)

// Backup is a backup of a database.
type Backup struct {
	Database  string
	ID        string
	Name      string
	CreatedAt time.Time
	State     State
	Size      int64 // bytes
	Keys      int64
}

// Config is what Backups are made of.
type Config struct {
	Redis   *redis.Engine
	Objects objects.Store
	Now     func() time.Time
}

// Backups makes, lists, restores and deletes backups. It is safe for concurrent use.
type Backups struct{ cfg Config }

// New makes Backups.
func New(cfg Config) *Backups { return &Backups{cfg} }

// Peer gives the commands of a database, with all rights.
func Peer(ctx context.Context, engine *redis.Engine, database string) (transfer.Peer, error) {
	if _, err := engine.Database(ctx, database); err != nil {
		return nil, err
	}
	return transfer.Local{Run: func(ctx context.Context, args []string, w *resp.Writer) error {
		db, err := engine.Database(ctx, database) // anew, because FLUSHDB changes the record
		if err != nil {
			return err
		}
		return engine.Do(ctx, db, redis.Access{}, args, w)
	}}, nil
}

// Write writes all keys of a database as an RDB file of Redis 7.4.
func Write(ctx context.Context, from transfer.Peer, now func() time.Time, w io.Writer) (transfer.Stats, error) {
	rdb, err := transfer.NewRDBWriter(w, transfer.Redis74, transfer.OfModule)
	if err != nil {
		return transfer.Stats{}, err
	}
	var lost error
	stats, err := transfer.Copy(ctx, transfer.NewScan(from, now, ""), &transfer.File{W: rdb}, transfer.Options{
		Now: now, Skipped: func(s transfer.Skipped) { lost = fmt.Errorf("key %.100q cannot be saved: %s", s.Key, s.Why) },
	})
	return stats, cmp.Or(err, lost, rdb.Close())
}

// Read replaces all keys of a database by those of an RDB file. open is called twice: the file is read to its end before
// anything changes.
func Read(ctx context.Context, open func() (io.Reader, error), to transfer.Peer, now func() time.Time) (transfer.Stats, error) {
	for _, target := range []transfer.Target{nowhere{}, &transfer.Restore{Peer: to, Replace: true, Now: now}} {
		r, err := open()
		if err != nil {
			return transfer.Stats{}, err
		}
		source, err := transfer.NewRDBReader(r, 0, "")
		if err != nil {
			return transfer.Stats{}, fmt.Errorf("%w: %w", ErrUnfit, err)
		}
		if _, check := target.(nowhere); !check {
			replies, err := to.Do(ctx, []string{"FLUSHDB"})
			if err != nil {
				return transfer.Stats{}, err
			}
			if refused, ok := replies[0].(resp.Error); ok {
				return transfer.Stats{}, refused
			}
		}
		var lost error
		stats, err := transfer.Copy(ctx, source, target, transfer.Options{
			Writers: 4, Now: now, Skipped: func(s transfer.Skipped) { lost = fmt.Errorf("key %.100q cannot be restored: %s", s.Key, s.Why) },
		})
		if _, check := target.(nowhere); check && err != nil {
			return stats, fmt.Errorf("%w, nothing has changed: %w", ErrUnfit, err)
		} else if !check || lost != nil {
			return stats, cmp.Or(err, lost)
		}
	}
	return transfer.Stats{}, nil
}

// nowhere takes what is only read to see that it can be.
type nowhere struct{}

func (nowhere) Write(context.Context, []transfer.Entry) (transfer.Result, error) {
	return transfer.Result{}, nil
}

func (b *Backups) marker(database, id, kind string, created time.Time, numbers []int64, name string) string {
	parts := []string{kind, strconv.FormatInt(created.UnixMilli(), 10)}
	for _, n := range numbers {
		parts = append(parts, strconv.FormatInt(n, 10))
	}
	return database + "/" + id + "/" + strings.Join(parts, "-") + "-" + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// Create makes a backup and returns when it is completed.
func (b *Backups) Create(ctx context.Context, database, name string) (Backup, error) {
	if name == "" || len(name) > MaxName {
		return Backup{}, ErrName
	}
	peer, err := Peer(ctx, b.cfg.Redis, database)
	if err != nil {
		return Backup{}, err
	}
	there, err := b.List(ctx, database)
	if err != nil {
		return Backup{}, err
	}
	if len(there) >= MaxBackups {
		return Backup{}, ErrTooMany
	}
	made := Backup{Database: database, ID: strings.ToLower(rand.Text()), Name: name, CreatedAt: b.cfg.Now(), State: Completed}
	if err := b.cfg.Objects.Put(ctx, b.marker(database, made.ID, "begun", made.CreatedAt, nil, name), nil); err != nil {
		return Backup{}, err
	}
	w := &partWriter{ctx: ctx, objects: b.cfg.Objects, prefix: database + "/" + made.ID}
	stats, err := Write(ctx, peer, b.cfg.Now, w)
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		made.Size, made.Keys = w.size, stats.Keys
		err = b.cfg.Objects.Put(ctx, b.marker(database, made.ID, "done", made.CreatedAt, []int64{made.Size, made.Keys}, name), nil)
	}
	if err != nil {
		// What there is of it is shown as pending, and can be deleted.
		return Backup{}, fmt.Errorf("making a backup of %s: %w", database, err)
	}
	return made, nil
}

// names lists all objects below a prefix.
func (b *Backups) names(ctx context.Context, prefix string) (all []string, err error) {
	for after := ""; ; {
		page, err := b.cfg.Objects.List(ctx, prefix, after)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < objects.PageSize {
			return all, nil
		}
		after = page[len(page)-1]
	}
}

// List returns the backups of a database, the newest first.
func (b *Backups) List(ctx context.Context, database string) ([]Backup, error) {
	names, err := b.names(ctx, database+"/")
	if err != nil {
		return nil, fmt.Errorf("listing the backups of %s: %w", database, err)
	}
	found := map[string]Backup{}
	for _, name := range names {
		made, ok := parseMarker(strings.TrimPrefix(name, database+"/"))
		if !ok || found[made.ID].State == Completed {
			continue
		}
		made.Database = database
		if made.State == Pending && b.cfg.Now().Sub(made.CreatedAt) > Patience {
			made.State = Failed
		}
		found[made.ID] = made
	}
	list := make([]Backup, 0, len(found))
	for _, made := range found {
		list = append(list, made)
	}
	slices.SortFunc(list, func(x, y Backup) int {
		return cmp.Or(y.CreatedAt.Compare(x.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	return list, nil
}

// parseMarker reads a name behind the database's, if it is that of a marker.
func parseMarker(name string) (Backup, bool) {
	id, marker, ok := strings.Cut(name, "/")
	fields := strings.SplitN(marker, "-", 5)
	made := Backup{ID: id}
	switch {
	case ok && fields[0] == "begun" && len(fields) >= 3:
		fields = strings.SplitN(marker, "-", 3)
		made.State = Pending
	case ok && fields[0] == "done" && len(fields) == 5:
		made.State = Completed
		made.Size, _ = strconv.ParseInt(fields[2], 10, 64)
		made.Keys, _ = strconv.ParseInt(fields[3], 10, 64)
	default:
		return Backup{}, false
	}
	ms, err := strconv.ParseInt(fields[1], 10, 64)
	text, err2 := base64.RawURLEncoding.DecodeString(fields[len(fields)-1])
	made.CreatedAt, made.Name = time.UnixMilli(ms).UTC(), string(text)
	return made, err == nil && err2 == nil
}

// find returns a backup that is completed.
func (b *Backups) find(ctx context.Context, database, id string) (Backup, error) {
	list, err := b.List(ctx, database)
	if err != nil {
		return Backup{}, err
	}
	i := slices.IndexFunc(list, func(made Backup) bool { return made.ID == id })
	if i < 0 {
		return Backup{}, ErrNoBackup
	}
	return list[i], nil
}

// Restore replaces what a database holds by one of its backups.
func (b *Backups) Restore(ctx context.Context, database, id string) (transfer.Stats, error) {
	made, err := b.find(ctx, database, id)
	if err != nil {
		return transfer.Stats{}, err
	}
	if made.State != Completed {
		return transfer.Stats{}, fmt.Errorf("%w: it is %s", ErrUnfit, made.State)
	}
	peer, err := Peer(ctx, b.cfg.Redis, database)
	if err != nil {
		return transfer.Stats{}, err
	}
	open := func() (io.Reader, error) {
		return &partReader{ctx: ctx, objects: b.cfg.Objects, prefix: database + "/" + id, left: made.Size}, nil
	}
	return Read(ctx, open, peer, b.cfg.Now)
}

// Delete deletes a backup. The marker that it is completed goes first, so that what is left is none.
func (b *Backups) Delete(ctx context.Context, database, id string) error {
	if _, err := b.find(ctx, database, id); err != nil {
		return err
	}
	return b.remove(ctx, database+"/"+id+"/")
}

// Forget deletes all backups of a database. It is no error if there is none.
func (b *Backups) Forget(ctx context.Context, database string) error {
	return b.remove(ctx, database+"/")
}

func (b *Backups) remove(ctx context.Context, prefix string) error {
	names, err := b.names(ctx, prefix)
	if err != nil {
		return err
	}
	slices.SortStableFunc(names, func(x, y string) int { return cmp.Compare(order(x), order(y)) })
	if err := b.cfg.Objects.Delete(ctx, names); err != nil {
		return fmt.Errorf("deleting backups: %w", err)
	}
	return nil
}

// order is when an object is deleted: the marker that lists it last of all, so that what was interrupted can be repeated.
func order(name string) int {
	switch base := name[strings.LastIndexByte(name, '/')+1:]; {
	case strings.HasPrefix(base, "done-"):
		return 0
	case strings.HasPrefix(base, "begun-"):
		return 2
	}
	return 1
}
