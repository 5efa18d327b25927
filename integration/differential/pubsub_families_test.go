package differential

var pubsubFamily = family{"pubsub", []row{
	{template: "PUBLISH {k} {v}", weight: 6},
	{template: "PUBLISH {k}", weight: 1},
	{template: "PUBSUB (CHANNELS|channels) [{pat}]"},
	{template: "PUBSUB CHANNELS {pat} {pat}", weight: 1},
	{template: "PUBSUB NUMSUB"},
	{template: "PUBSUB NUMSUB {k}+"},
	{template: "PUBSUB NUMPAT [bad]"},
	{template: "PUBSUB SHARDCHANNELS [{pat}]", weight: 1},
	{template: "PUBSUB SHARDNUMSUB {k}+", weight: 1},
	{template: "PUBSUB bad", weight: 1},
}}
