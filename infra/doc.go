// Command infra is the CDK app that puts Skystash into an AWS account. The CDK
// command line runs it as cdk.json says:
//
//	./scripts/cdk synth      # no account needed
//	./scripts/cdk deploy --all
//
// Settings are CDK context ("-c name=value", or "context" in cdk.json):
//
//	products                 those that are deployed, of redis, kafka and qstash, separated by commas, or
//	                         "all": redis,qstash. Kafka's stream has a price by the hour. What is
//	                         left out later stays deployed, but the console does not know of it
//	prefix                   what the names of stacks and of parameters (in lower case) begin with, so that there can
//	                         be several deployments in an account and region: Skystash
//	stack                    name of the stack: <prefix>Redis
//	readRegions              regions, separated by commas, where a function reads from a
//	                         replica of the table: a stack <stack>-<region> each. A replica whose
//	                         region is left out later stays, unless keepData is false
//	region                   that everything else is deployed to; needed with readRegions
//	qstashStack              name of QStash's stack: <prefix>QStash
//	qstashRegion             what QStash's destinations are told: EU-CENTRAL-1
//	qstashAllowed            blocks of addresses, such as 10.0.0.0/8, separated by
//	                         commas, that QStash may deliver to although they are
//	                         not public
//	qstashBreaker            attempts in a row without an answer after which QStash holds
//	                         further ones to the same host, and probes it; -1: never: 10
//	qstashConcurrency        invocations at a time that deliver QStash's messages, ten in
//	                         each, from 2 to 1000: 100. The rest of the AWS account's
//	                         concurrency, 1000 unless raised, is left to everything else
//	qstashReserved           concurrency that is reserved for them, more than
//	                         qstashConcurrency; nothing else in the account can take it
//	                         then: 0, as AWS refuses to leave less than 100 to the others
//	longCalls                "true": a message's timeout may be up to two hours, also that of context.call of
//	                         workflows. An attempt that may take longer than the 14 minutes of a function is made
//	                         by a task of ECS on Fargate, see qstash_long.go; to deploy it, Docker must run: false
//	qstashAlarms             "true": alarms say when workflow runs are stuck, wake-ups fail or get lost,
//	                         or messages are sent late, see qstash_alarms.go; the ARN of an SNS topic:
//	                         and notify it. An alarm costs $0.10 a month: false
//	tokenPublicKey           public key or keys that tokens are checked with, or
//	                         "published": none but those that the control plane
//	                         makes and publishes
//	tokenPublicKeyParameter  else: SSM parameter that holds them at deployment
//	                         time, in each region: /<prefix>/token-public-key
//	tokenAudience            audience that tokens must name: skystash
//	keepData                 "false": the table goes with the stack and has
//	                         neither deletion protection nor backups: true
//	meter                    "stream": log groups write into a stream that the function which counts usage reads,
//	                         instead of invoking it themselves. The stream's shard costs $10.95 a month, and
//	                         many instances have their usage counted together. "false": usage is not
//	                         counted, there are neither statistics nor limits: true
//	logRetentionDays         30
//	sweepMinutes             time between two runs of the sweep functions; Redis's is woken
//	                         by the table's stream besides: 5
//	kafkaStack               name of Kafka's stack: <prefix>Kafka
//	kafkaShards              shards of its stream, 0 for on demand: 1
//	kafkaFanOut              "true": Kinesis pushes the stream's records to the function that materializes them, by
//	                         enhanced fan-out, instead of being asked once a second. That costs $0.015 an hour for
//	                         each shard, and $0.013 a GB: false
//	kafkaObjects             "true": segments of 9 KiB and more go into a bucket of S3, which costs a tenth
//	                         to store, and old smaller ones are merged into its objects where that pays (see
//	                         integration/bench/KAFKA.md); "read": what is there is read, and no more goes
//	                         there; "false": no bucket, for deployments that never had one: true
//	kafkaLagMetrics          "true": the lag of each group is a metric of CloudWatch, every sweepMinutes, which
//	                         costs $0.30 a month for each of two: false
//	kafkaLagAlarm            messages that a group may be behind before there is an alarm: none
//	controlStack             name of the control plane's stack: <prefix>Control
//	signingKeyPath           path in Parameter Store under which it keeps the keys
//	                         that tokens are signed with: /<prefix>/signing-keys
//	logLevel                 debug, info, warn or error: info
//	fronts                   ways to reach the products: url, the functions' own URLs, and api, HTTP APIs: url,api
//	redisInstances, kafkaInstances, qstashInstances
//	                         instances at a time that serve a product over HTTP, which nobody else in the account can
//	                         take then; further requests get 429. 0: as many as it takes: 0
//	apiRate, apiBurst        requests a second, and in a moment, that each HTTP API takes; 0: as many as the account's: 0
//	accessLogs               "true": HTTP APIs write a line for each request, without tokens: false
//	tracing                  "true": functions are traced by X-Ray, at $5 for a million traces that it keeps: false
//	tableKey                 ARN of a KMS key that the tables are encrypted with, instead of DynamoDB's own. It costs $1 a
//	                         month and $3 for a million of its uses; a table whose key is gone is lost: none
//	tags                     of everything, such as team=web,env=prod: none
//	alarms                   "few": alarms say that functions fail, or that something was given up, and what to do, within the ten
//	                         that are free but for Kafka's; "all": there are some about every function, queue, stream and table, at
//	                         $0.10 a month for each metric beyond ten; "false": there are none: few
//	alarmEmail               address that alarms are sent to, by an SNS topic in the stack <prefix>Alarms: none
//	alarmTopic               else: ARN of the SNS topic that they notify: none
//	budget                   dollars a month of the whole AWS account: AWS writes to alarmEmail when four fifths of them
//	                         are spent, and when more is to be expected: none
//	dashboards               "false": there is no dashboard for each product. Three are free in an account: true
//	backups                  "true": the control plane's stack has a bucket of S3 for backups of databases, at $0.023 a GB and
//	                         month, which stays when the stack is destroyed: false
//
// The gateway, for clients that speak the protocols of Redis and Kafka themselves, is deployed if it has a name:
//
//	gatewayHost              name that clients reach it by, such as gateway.example.com: none
//	gatewayStack             name of its stack: <prefix>Gateway
//	gatewayZone              id of the zone of Route 53 that the name is in. Gateways write their
//	                         addresses there
//	gatewayCount             tasks that run after a deployment, $11 a month each; with 0 it costs nothing, and
//	                         scripts/admin gateway switches it on until the next deployment: 0
//	gatewayIdleMinutes       without a client, after which it switches itself off; 0: never: 0
//	gatewaySize              units of CPU and MiB of a task: 256/512
//	gatewaySpot              "true": tasks run on Fargate Spot, for a third of the price, and end now and
//	                         then with two minutes' notice: false
//	gatewayAllow             blocks of IPv4 addresses, separated by commas, that clients may come from: 0.0.0.0/0
//	gatewayCertificate       ARN of a secret with the keys certificate and key, in PEM; none: Let's
//	                         Encrypt's. With gatewayBalancer: of a certificate in ACM
//	gatewayBalancer          "true": a network load balancer ends TLS and has an address that stays, for $18 a
//	                         month: false
//	gatewayDomain            gives each database a name of its own, <database id>.<domain>; needs a
//	                         certificate for *.<domain>: none
//	gatewayImage             image that runs /gateway; none: one of Amazon's fetches the executable: none
//
// The control plane's stack refers to those of the products, which can be deployed without it.
// A deployment's settings belong into cdk.json, once: what a later deployment forgets would be changed by it.
// Then scripts/admin makes the keys, databases and tokens.
package main
