package operator

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/redis/transfer"
	"github.com/skystash/skystash/pkg/testenv/motolocal"
)

// ask runs a command of a database, as whoever uses it would.
func ask(t *testing.T, p transfer.Peer, args ...string) any {
	t.Helper()
	replies, err := p.Do(t.Context(), args)
	if err != nil {
		t.Fatal(err)
	}
	return replies[0]
}

// TestBackupAndRestore is over both places where a backup can be.
func TestBackupAndRestore(t *testing.T) {
	flags, _ := newDeployment(t)
	bucket := motolocal.Start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, bucket+"/backups", nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := http.DefaultClient.Do(req)
	if err != nil || made.StatusCode != http.StatusOK {
		t.Fatal(made, err)
	}
	made.Body.Close()
	id, _ := admin(t, slices.Concat([]string{"create-database"}, flags, []string{"-name", "first"})...)
	with := func(command string, args ...string) []string {
		return slices.Concat([]string{command}, flags, []string{"-database", id, "-s3-endpoint", bucket}, args)
	}
	table, endpoint := flags[1], flags[3]
	c, err := deployment{table: &table, endpoint: &endpoint}.cloud(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := awsredis.Open(c, awsredis.Config{Table: table})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Engine.Close)
	peer, err := backup.Peer(t.Context(), r.Engine, id)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "first.rdb")
	for _, place := range []string{file, "s3://backups"} {
		ask(t, peer, "SET", "k", "before")
		backupID, _ := admin(t, with("backup", "-to", place, "-name", "a name")...)
		ask(t, peer, "SET", "k", "after")
		ask(t, peer, "SET", "later", "v")
		args := with("restore", "-from", place)
		if backupID != "" {
			args = append(args, "-backup", backupID)
			if list, _ := admin(t, with("list-backups", "-from", place)...); !strings.Contains(list, backupID) || !strings.Contains(list, `"a name"`) {
				t.Errorf("the list is %q", list)
			}
		}
		if err := Run(t.Context(), "admin", args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "-replace") {
			t.Errorf("restored without being asked whether it is meant: %v", err)
		}
		admin(t, append(args, "-replace")...)
		if got, n := ask(t, peer, "GET", "k"), ask(t, peer, "DBSIZE"); got != "before" || n != int64(1) {
			t.Errorf("%s: %v, %v keys", place, got, n)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	for _, args := range [][]string{
		with("restore", "-from", file, "-backup", "x", "-replace"), with("restore", "-from", "s3://backups", "-replace"),
		with("restore", "-from", "s3://backups", "-backup", "none", "-replace"), with("list-backups", "-from", file), with("backup"),
	} {
		if err := Run(t.Context(), "admin", args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q succeeds", args)
		}
	}
}
