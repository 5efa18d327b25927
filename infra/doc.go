// Command infra is the CDK app that puts Skystash into an AWS account. The CDK
// command line runs it as cdk.json says:
//
//	npx cdk synth            # no account needed
//	npx cdk deploy --all
//
// Settings are CDK context ("-c name=value", or "context" in cdk.json):
//
//	stack                    name of the stack: SkystashRedis
//	qstashStack              name of QStash's stack: SkystashQStash
//	qstashRegion             what QStash's destinations are told: EU-CENTRAL-1
//	qstashAllowed            blocks of addresses, such as 10.0.0.0/8, separated by
//	                         commas, that QStash may deliver to although they are
//	                         not public
//	tokenPublicKey           public key or keys that tokens are checked with
//	tokenPublicKeyParameter  else: SSM parameter that holds them at deployment
//	                         time: /skystash/token-public-key
//	tokenAudience            audience that tokens must name: skystash
//	keepData                 "false": the table goes with the stack and has
//	                         neither deletion protection nor backups: true
//	meter                    "false": usage is not counted, there are neither statistics nor limits: true
//	logRetentionDays         30
//	sweepMinutes             time between two runs of the sweep functions; Redis's is woken
//	                         by the table's stream besides: 5
//	kafkaStack               name of Kafka's stack: SkystashKafka
//	kafkaShards              shards of its stream, 0 for on demand: 1
//	logLevel                 debug, info, warn or error: info
//
// scripts/admin makes the keys, and databases and tokens once the stack is up.
package main
