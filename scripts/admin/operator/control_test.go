package operator

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestAccountsOfTheControlPlane(t *testing.T) {
	flags, _ := newDeployment(t)
	with := func(command string, args ...string) []string {
		return slices.Concat([]string{command}, flags, args)
	}
	key, notes := admin(t, with("bootstrap", "-email", "Admin@Example.com")...)
	if len(key) != 43 || strings.Contains(notes, key) || !strings.Contains(notes, "admin@example.com") {
		t.Errorf("bootstrap prints %q and %q", key, notes)
	}
	if again, _ := admin(t, with("bootstrap", "-email", "admin@example.com")...); again != "" {
		t.Errorf("the second bootstrap prints %q", again)
	}
	other, _ := admin(t, with("create-api-key", "-email", "admin@example.com")...)
	user, _ := admin(t, with("create-user", "-email", "user@example.com")...)
	if len(other) != 43 || len(user) != 43 || other == key {
		t.Errorf("keys %q and %q", other, user)
	}
	for _, args := range [][]string{
		with("bootstrap"),
		with("bootstrap", "-email", "nobody"),
		with("create-user", "-email", "user@example.com"),
		with("create-api-key", "-email", "other@example.com"),
	} {
		if err := Run(t.Context(), "admin", args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q succeeds", args)
		}
	}
}
