package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/skystash/skystash/pkg/bundle"
)

// settings are those of all stacks.
type settings struct {
	cfg     Config
	kafka   KafkaConfig
	gateway GatewayConfig
	control ControlConfig
}

// settingsOf reads settings from CDK context. A stand-in takes the place of all executables, which need not be compiled to
// synthesise stacks.
func settingsOf(t *testing.T, context map[string]any) settings {
	t.Helper()
	get := func(name string) any { return context[name] }
	var s settings
	var err error
	if s.cfg, err = readConfig(get); err != nil {
		t.Fatal(err)
	}
	if s.kafka, err = readKafkaConfig(get); err != nil {
		t.Fatal(err)
	}
	if s.gateway, err = readGatewayConfig(get); err != nil {
		t.Fatal(err)
	}
	if s.control, err = readControlConfig(get); err != nil {
		t.Fatal(err)
	}
	folder := standIn(t)
	for _, asset := range []*string{
		&s.cfg.RedisAsset, &s.cfg.SweepAsset, &s.kafka.Asset, &s.kafka.MaterializeAsset, &s.kafka.SweepAsset,
		&s.cfg.QStashAsset, &s.cfg.DeliverAsset, &s.cfg.AttemptAsset, &s.cfg.MeterAsset, &s.control.Asset, &s.gateway.Asset,
	} {
		*asset = folder
	}
	return s
}

// standIn is a folder with what stands in for an executable.
func standIn(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, bundle.Executable), []byte("stub"), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}
