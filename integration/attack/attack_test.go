package attack

import (
	"testing"

	"github.com/skystash/skystash/integration/local"
)

func TestAttacks(t *testing.T) {
	binary := local.Build(t)
	for name, attack := range map[string]func(*testing.T, string){
		"sweeps": sweeps, "Redis": redis, "revocations": revocations, "Kafka": kafka, "tenants": tenants, "the edge": edge, "the development server": devServer,
	} {
		t.Run(name, func(t *testing.T) { attack(t, binary) })
	}
}
