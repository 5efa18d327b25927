package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/token"
)

// Config is what can be chosen at deployment; see the package's documentation.
type Config struct {
	Products                []string // that are deployed: token.ProductRedis and so on
	Stack                   string
	ReadRegions             []string // where replicas serve reads
	Region                  string   // of the stacks; "": the one that is deployed to, which must be known to have read regions
	RedisAsset              string   // folder that holds the redis function's executable
	SweepAsset              string   // and that of the sweep function
	QStashStack             string
	QStashAsset             string // folder of the qstash function's executable
	DeliverAsset            string // and of the deliver function's
	AttemptAsset            string // and of the image of long attempts
	MeterAsset              string // and of the meter function's
	QStashRegion            string // that QStash's destinations are told
	QStashAllowed           string // blocks of addresses that QStash may deliver to although they are not public
	QStashBreaker           int    // attempts in a row without an answer after which a host's attempts are held; negative: never
	QStashConcurrency       int    // invocations at a time that deliver
	QStashReserved          int    // of the AWS account's concurrency for them; 0: nothing is reserved
	LongCalls               bool   // attempts may take longer than a function, up to two hours
	QStashAlarms            bool   // there are alarms about QStash
	QStashAlarmTopic        string // ARN of the SNS topic that they notify; "": none
	TokenPublicKey          string // "": read the parameter
	TokenPublicKeyParameter string
	TokenAudience           string
	KeepData                bool
	Meter                   bool // usage is counted
	MeterStream             bool // by way of a stream, instead of log groups that invoke the function themselves
	LogRetentionDays        int
	LogLevel                string
	SweepMinutes            int // between two scheduled runs of a sweep function

	prefix prefix
	Operate
	Options
}

// readConfig reads CDK context, which has strings from the command line and any
// JSON value from cdk.json; nil means not set.
func readConfig(context func(name string) any) (Config, error) {
	text := func(name, byDefault string) string {
		if v := context(name); v != nil {
			return fmt.Sprint(v)
		}
		return byDefault
	}
	named, err := readPrefix(text("prefix", defaultPrefix))
	if err != nil {
		return Config{}, err
	}
	cfg := Config{
		Stack:                   text("stack", named.stack("Redis")),
		QStashStack:             text("qstashStack", named.stack("QStash")),
		QStashRegion:            text("qstashRegion", "EU-CENTRAL-1"),
		QStashAllowed:           text("qstashAllowed", ""),
		TokenPublicKey:          text("tokenPublicKey", ""),
		TokenPublicKeyParameter: text("tokenPublicKeyParameter", named.parameter("token-public-key")),
		TokenAudience:           text("tokenAudience", token.DefaultAudience),
		LogLevel:                text("logLevel", "info"),
	}
	if cfg.TokenPublicKey != "" && cfg.TokenPublicKey != contract.PublishedOnly {
		if _, err := token.ParsePublicKeys(cfg.TokenPublicKey); err != nil {
			return Config{}, fmt.Errorf("context tokenPublicKey: %w", err)
		}
	}
	cfg.prefix = named
	if cfg.Operate, err = readOperate(text); err != nil {
		return Config{}, err
	}
	if cfg.Options, err = readOptions(text); err != nil {
		return Config{}, err
	}
	if cfg.Products, err = productList(context("products")); err != nil {
		return Config{}, fmt.Errorf("context products: %w", err)
	}
	if cfg.KeepData, err = strconv.ParseBool(text("keepData", "true")); err != nil {
		return Config{}, fmt.Errorf("context keepData: %q is neither true nor false", text("keepData", ""))
	}
	switch how := text("meter", "true"); how {
	case "direct": // what true was not always
		cfg.Meter = true
	case "stream":
		cfg.Meter, cfg.MeterStream = true, true
	default:
		if cfg.Meter, err = strconv.ParseBool(how); err != nil {
			return Config{}, fmt.Errorf("context meter: %q is none of true, stream and false", how)
		}
	}
	if cfg.LogRetentionDays, err = strconv.Atoi(text("logRetentionDays", "30")); err != nil || !slices.Contains(retentionDays, cfg.LogRetentionDays) {
		return Config{}, fmt.Errorf("context logRetentionDays: %q is none of %v", text("logRetentionDays", ""), retentionDays)
	}
	if cfg.SweepMinutes, err = strconv.Atoi(text("sweepMinutes", "5")); err != nil || cfg.SweepMinutes < 1 || cfg.SweepMinutes > maxSweepMinutes {
		return Config{}, fmt.Errorf("context sweepMinutes: %q is no number from 1 to %d", text("sweepMinutes", ""), maxSweepMinutes)
	}
	if cfg.QStashConcurrency, err = strconv.Atoi(text("qstashConcurrency", "100")); err != nil || cfg.QStashConcurrency < 2 || cfg.QStashConcurrency > 1000 {
		return Config{}, fmt.Errorf("context qstashConcurrency: %q is no number from 2 to 1000", text("qstashConcurrency", ""))
	}
	if cfg.QStashReserved, err = strconv.Atoi(text("qstashReserved", "0")); err != nil || cfg.QStashReserved != 0 && cfg.QStashReserved <= cfg.QStashConcurrency {
		return Config{}, fmt.Errorf("context qstashReserved: %q is neither 0 nor greater than qstashConcurrency: the sweep needs one, too", text("qstashReserved", ""))
	}
	if cfg.QStashBreaker, err = strconv.Atoi(text("qstashBreaker", "10")); err != nil || cfg.QStashBreaker == 0 {
		return Config{}, fmt.Errorf("context qstashBreaker: %q is no whole number other than 0", text("qstashBreaker", ""))
	}
	if cfg.LongCalls, err = strconv.ParseBool(text("longCalls", "false")); err != nil {
		return Config{}, fmt.Errorf("context longCalls: %q is neither true nor false", text("longCalls", ""))
	}
	switch alarms := text("qstashAlarms", "false"); {
	case strings.HasPrefix(alarms, "arn:"):
		cfg.QStashAlarms, cfg.QStashAlarmTopic = true, alarms
	default:
		if cfg.QStashAlarms, err = strconv.ParseBool(alarms); err != nil {
			return Config{}, fmt.Errorf("context qstashAlarms: %q is none of true, false and the ARN of an SNS topic", alarms)
		}
	}
	cfg.Region = text("region", "")
	if cfg.ReadRegions, err = regionList(context("readRegions")); err != nil {
		return Config{}, fmt.Errorf("context readRegions: %w", err)
	}
	if len(cfg.ReadRegions) > 0 && !regionName.MatchString(cfg.Region) {
		return Config{}, fmt.Errorf("context region: %q is no region: it must be set where there are readRegions", cfg.Region)
	}
	if len(cfg.ReadRegions) > 0 && cfg.TableKey != "" {
		return Config{}, errors.New("context tableKey: replicas need keys of their own regions, which cannot be named yet: it goes without readRegions")
	}
	if slices.Contains(cfg.ReadRegions, cfg.Region) {
		return Config{}, fmt.Errorf("context readRegions: %s is the primary region", cfg.Region)
	}
	if !slices.Contains(logLevels, cfg.LogLevel) {
		return Config{}, fmt.Errorf("context logLevel: %q is none of %v", cfg.LogLevel, logLevels)
	}
	return cfg, nil
}

// truth reads a setting that is true or false.
func truth(name, text string) (bool, error) {
	is, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("context %s: %q is neither true nor false", name, text)
	}
	return is, nil
}

var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)

// nameList reads names: a JSON list, or text with commas between them.
func nameList(v any) []string {
	var names []string
	switch v := v.(type) {
	case nil:
	case []any:
		for _, name := range v {
			names = append(names, fmt.Sprint(name))
		}
	default:
		names = strings.FieldsFunc(fmt.Sprint(v), func(r rune) bool { return r == ',' || r == ' ' })
	}
	return names
}

// allProducts are those that can be deployed.
var allProducts = []string{token.ProductRedis, token.ProductKafka, token.ProductQStash}

// defaultProducts are those that cost nothing while nobody calls them: Kafka's stream has a price by the hour.
var defaultProducts = []string{token.ProductRedis, token.ProductQStash}

// productList reads a list of products, or "all".
func productList(v any) ([]string, error) {
	names := nameList(v)
	switch {
	case len(names) == 0:
		return defaultProducts, nil
	case len(names) == 1 && names[0] == "all":
		return allProducts, nil
	}
	for i, name := range names {
		if !slices.Contains(allProducts, name) {
			return nil, fmt.Errorf("%q is none of %v", name, allProducts)
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("%s is there twice", name)
		}
	}
	return names, nil
}

// deploys reports whether a product is one of those that are deployed.
func (cfg *Config) deploys(product string) bool { return slices.Contains(cfg.Products, product) }

// prefix is what the names of a deployment have in common, so that there can be several in an account.
type prefix string

const defaultPrefix = "Skystash"

var prefixText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,39}$`)

func readPrefix(text string) (prefix, error) {
	if !prefixText.MatchString(text) {
		return "", fmt.Errorf("context prefix: %q is no name of up to 40 letters, digits and hyphens that begins with a letter", text)
	}
	return prefix(text), nil
}

func (p prefix) stack(name string) string { return string(p) + name }

// parameter is a name in Parameter Store.
func (p prefix) parameter(name string) string { return "/" + strings.ToLower(string(p)) + "/" + name }

// regionList reads a list of regions.
func regionList(v any) ([]string, error) {
	names := nameList(v)
	for i, name := range names {
		if !regionName.MatchString(name) {
			return nil, fmt.Errorf("%q is no region", name)
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("%s is there twice", name)
		}
	}
	return names, nil
}

// environment is what all stacks but those of read regions are deployed to; nil: whatever the command line's
// credentials are for. Where there are read regions it is named, and for all alike: stacks that refer to each other must agree.
func (cfg *Config) environment() *awscdk.Environment {
	if len(cfg.ReadRegions) == 0 {
		return nil
	}
	return &awscdk.Environment{Region: &cfg.Region}
}

// maxSweepMinutes is a day: what is deleted is paid for as long as it is stored.
const maxSweepMinutes = 24 * 60

// retentionDays are the times that CloudWatch Logs offers, up to ten years.
var retentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

var logLevels = []string{"debug", "info", "warn", "error"}
