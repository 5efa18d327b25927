package calls

// On-demand list prices of DynamoDB's Standard table class in us-east-1, in
// dollars per million request units. In force since 1 November 2024, when they
// were halved.
const (
	dollarsPerMillionReads  = 0.125
	dollarsPerMillionWrites = 0.625

	priceSince = "1 November 2024"
	pricePage  = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
)

// dollarsPerMillion is the price of a million commands that each cost so many units.
func dollarsPerMillion(reads, writes float64) float64 {
	return reads*dollarsPerMillionReads + writes*dollarsPerMillionWrites
}
