package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/kafka/objects/s3"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/transfer"
	"github.com/skystash/skystash/scripts/atomicfile"
)

func backupCommands() []Command {
	return []Command{
		{"backup", "write a database to a file or a bucket of S3", makeBackup},
		{"restore", "replace what a database holds by a backup, or by an RDB file", restoreBackup},
		{"list-backups", "list a database's backups in a bucket of S3", listBackups},
	}
}

const bucketScheme = "s3://"

// backupPlace are the flags of all commands about backups.
type backupPlace struct {
	deployment
	database, place, s3Endpoint *string
}

func backupFlags(flags *flag.FlagSet, placeFlag, usage string) backupPlace {
	return backupPlace{
		deployment: deploymentFlags(flags),
		database:   flags.String("database", "", "id of the database"),
		place:      flags.String(placeFlag, "", usage),
		s3Endpoint: flags.String("s3-endpoint", "", "another endpoint than S3's own"),
	}
}

// open returns the engine, and what keeps backups if the place is a bucket.
func (p backupPlace) open(ctx context.Context) (*redis.Engine, *backup.Backups, error) {
	c, err := p.cloud(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := awsredis.Open(c, awsredis.Config{Table: *p.table})
	if err != nil {
		return nil, nil, err
	}
	bucket, ok := strings.CutPrefix(*p.place, bucketScheme)
	if !ok {
		return r.Engine, nil, nil
	}
	objects := s3.New(c.AWS, strings.TrimSuffix(bucket, "/"), s3.Options{Endpoint: *p.s3Endpoint})
	return r.Engine, backup.New(backup.Config{Redis: r.Engine, Objects: objects, Now: time.Now}), nil
}

func makeBackup(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	p := backupFlags(flags, "to", "file, which is an RDB file that Redis 7.4 loads, or s3://bucket")
	name := flags.String("name", "backup", "name of the backup in the bucket, for people")
	if err := Parse(flags, args, "table", "database", "to"); err != nil {
		return err
	}
	engine, backups, err := p.open(ctx)
	if err != nil {
		return err
	}
	if backups != nil {
		made, err := backups.Create(ctx, *p.database, *name)
		if err != nil {
			return err
		}
		fmt.Fprintf(stderr, "%d keys, %d bytes. The backup's id:\n", made.Keys, made.Size)
		fmt.Fprintln(stdout, made.ID)
		return nil
	}
	peer, err := backup.Peer(ctx, engine, *p.database)
	if err != nil {
		return err
	}
	stats, err := toFile(ctx, peer, *p.place)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d keys are in %s, readable by its owner alone.\n", stats.Keys, *p.place)
	return nil
}

func toFile(ctx context.Context, peer transfer.Peer, name string) (stats transfer.Stats, err error) {
	err = atomicfile.Write(name, func(w io.Writer) error {
		stats, err = backup.Write(ctx, peer, time.Now, w)
		return err
	})
	return stats, err
}

func restoreBackup(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	p := backupFlags(flags, "from", "RDB file of Redis 2.6 to 7.4, or s3://bucket")
	id := flags.String("backup", "", "id of the backup in the bucket")
	replace := flags.Bool("replace", false, "yes, delete what the database holds now")
	if err := Parse(flags, args, "table", "database", "from"); err != nil {
		return err
	}
	if !*replace {
		return errors.New("restore: what the database holds is deleted; say -replace if that is meant")
	}
	if strings.HasPrefix(*p.place, bucketScheme) != (*id != "") {
		return errors.New("restore: -backup names a backup in a bucket, so it goes with -from s3://bucket")
	}
	engine, backups, err := p.open(ctx)
	if err != nil {
		return err
	}
	var stats transfer.Stats
	if backups != nil {
		stats, err = backups.Restore(ctx, *p.database, *id)
	} else {
		stats, err = fromFile(ctx, engine, *p.database, *p.place)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "The database holds the %d keys of the backup, and nothing else.\n", stats.Keys)
	return nil
}

func fromFile(ctx context.Context, engine *redis.Engine, database, name string) (transfer.Stats, error) {
	peer, err := backup.Peer(ctx, engine, database)
	if err != nil {
		return transfer.Stats{}, err
	}
	f, err := os.Open(name) // #nosec G703 -- who runs it names the file
	if err != nil {
		return transfer.Stats{}, err
	}
	defer f.Close()
	open := func() (io.Reader, error) {
		_, err := f.Seek(0, io.SeekStart)
		return f, err
	}
	return backup.Read(ctx, open, peer, time.Now)
}

func listBackups(ctx context.Context, flags *flag.FlagSet, args []string, stdout, _ io.Writer) error {
	p := backupFlags(flags, "from", "s3://bucket")
	if err := Parse(flags, args, "table", "database", "from"); err != nil {
		return err
	}
	_, backups, err := p.open(ctx)
	if err != nil {
		return err
	}
	if backups == nil {
		return fmt.Errorf("list-backups: %q is no bucket: want s3://bucket", *p.place)
	}
	list, err := backups.List(ctx, *p.database)
	for _, b := range list {
		fmt.Fprintf(stdout, "%s  %s  %-9s  %d bytes  %q\n", b.ID, b.CreatedAt.Format(time.RFC3339), b.State, b.Size, b.Name)
	}
	return err
}
