package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// GatewayConfig is what can be chosen for the gateway; see the package's documentation.
type GatewayConfig struct {
	Stack       string
	Asset       string // folder of the executable
	Host        string // "": there is no gateway
	Zone        string // id of the zone of Route 53 that the host is in; "": its records are somebody else's business
	Count       int    // gateways that run after a deployment
	Balancer    bool   // a network load balancer in front of them ends TLS
	Certificate string // its ARN: in ACM with a balancer, else a secret; "": Let's Encrypt's
	Domain      string // that databases have names in; "": they have none
	Spot        bool   // tasks on Fargate Spot
	IdleMinutes int    // without a client, after which the gateway switches itself off; 0: never
	CPU, Memory int    // of a task: 1,024 are a processor; MiB
	Allow       []string
	Image       string // that runs the gateway itself; "": an image of Amazon's runs the executable of the asset
}

// readGatewayConfig reads CDK context as readConfig does.
func readGatewayConfig(context func(name string) any) (GatewayConfig, error) {
	text := func(name, byDefault string) string {
		if v := context(name); v != nil {
			return fmt.Sprint(v)
		}
		return byDefault
	}
	var fault error
	parsed := func(name, byDefault string, parse func(string) error) {
		v := text(name, byDefault)
		if err := parse(v); err != nil && fault == nil {
			fault = fmt.Errorf("context %s: %q is %w", name, v, err)
		}
	}
	number := func(name, byDefault string, least, most int) (n int) {
		parsed(name, byDefault, func(v string) (err error) {
			if n, err = strconv.Atoi(v); err != nil || n < least || n > most {
				return fmt.Errorf("no number from %d to %d", least, most)
			}
			return nil
		})
		return n
	}
	truth := func(name string) (is bool) {
		parsed(name, "false", func(v string) (err error) {
			if is, err = strconv.ParseBool(v); err != nil {
				return fmt.Errorf("neither true nor false")
			}
			return nil
		})
		return is
	}
	named, err := readPrefix(text("prefix", defaultPrefix))
	if err != nil {
		return GatewayConfig{}, err
	}
	cfg := GatewayConfig{
		Stack:       text("gatewayStack", named.stack("Gateway")),
		Host:        strings.TrimSuffix(text("gatewayHost", ""), "."),
		Zone:        text("gatewayZone", ""),
		Count:       number("gatewayCount", "0", 0, 100),
		Balancer:    truth("gatewayBalancer"),
		Certificate: text("gatewayCertificate", ""),
		Domain:      text("gatewayDomain", ""),
		Spot:        truth("gatewaySpot"),
		IdleMinutes: number("gatewayIdleMinutes", "0", 0, 7*24*60),
		Image:       text("gatewayImage", ""),
	}
	parsed("gatewaySize", "256/512", func(v string) error {
		if _, err := fmt.Sscanf(v, "%d/%d", &cfg.CPU, &cfg.Memory); err != nil || !slices.Contains(fargateMemory[cfg.CPU], cfg.Memory) {
			return fmt.Errorf("no size of Fargate's, such as 256/512 or 1024/2048: units of CPU, and MiB")
		}
		return nil
	})
	parsed("gatewayAllow", "0.0.0.0/0", func(v string) error {
		cfg.Allow = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
		for _, block := range cfg.Allow {
			if prefix, err := netip.ParsePrefix(block); err != nil || !prefix.Addr().Is4() {
				return fmt.Errorf("no list of blocks of IPv4 addresses, such as 203.0.113.0/24")
			}
		}
		return nil
	})
	if fault == nil {
		fault = cfg.check()
	}
	return cfg, fault
}

// fargateMemory is the MiB that a task may have with so many units of CPU, the smaller sizes of Fargate's.
var fargateMemory = map[int][]int{
	256:  {512, 1024, 2048},
	512:  {1024, 2048, 3072, 4096},
	1024: {2048, 3072, 4096, 5120, 6144, 7168, 8192},
	2048: {4096, 6144, 8192, 12288, 16384},
	4096: {8192, 12288, 16384, 24576, 30720},
}

// check looks at settings that do not go together.
func (cfg *GatewayConfig) check() error {
	switch {
	case cfg.Host == "":
		if cfg.Count > 0 || cfg.Balancer {
			return fmt.Errorf("context gatewayHost: it is not set, and clients check the name that they connect to")
		}
	case cfg.Balancer && !strings.HasPrefix(cfg.Certificate, "arn:aws:acm:"):
		return fmt.Errorf("context gatewayCertificate: %q is no certificate of ACM: the balancer needs one for %s", cfg.Certificate, cfg.Host)
	case !cfg.Balancer && cfg.Certificate != "" && !strings.HasPrefix(cfg.Certificate, "arn:aws:secretsmanager:"):
		return fmt.Errorf("context gatewayCertificate: %q is no secret of Secrets Manager: without gatewayBalancer the gateway itself needs its key", cfg.Certificate)
	case !cfg.Balancer && cfg.Zone == "":
		return fmt.Errorf("context gatewayZone: it is not set: without gatewayBalancer the gateway has another address each time it starts, and must be let to write it into a zone of Route 53")
	case cfg.Domain != "" && cfg.Certificate == "":
		return fmt.Errorf("context gatewayDomain: names of databases need gatewayCertificate, a certificate for *.%s and %s", cfg.Domain, cfg.Host)
	case cfg.IdleMinutes > 0 && cfg.Balancer:
		return fmt.Errorf("context gatewayIdleMinutes: a balancer costs more than the gateway behind it, and goes on")
	}
	return nil
}
