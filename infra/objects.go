package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// What functions do with objects. Whoever reads may also list: without that, S3 answers "forbidden"
// where there is no such object.
const (
	getObjects    = "s3:GetObject"
	putObjects    = "s3:PutObject"
	deleteObjects = "s3:DeleteObject"
	listObjects   = "s3:ListBucket"
)

// objectStore is the bucket that large segments of Kafka's logs are in; without a bucket, they are in the table.
type objectStore struct {
	bucket awss3.Bucket // nil: there is none
	writes bool
}

// newObjects makes the bucket. Each object is named by an item of the table, and goes with it: there
// are no versions, and no rules of the bucket's own.
func newObjects(stack awscdk.Stack, cfg Config, kafka KafkaConfig) objectStore {
	if kafka.Objects == objectsOff {
		return objectStore{}
	}
	removal := awscdk.RemovalPolicy_DESTROY
	if cfg.KeepData {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	bucket := awss3.NewBucket(stack, jsii.String("Objects"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		RemovalPolicy:     removal,
	})
	return objectStore{bucket, kafka.Objects == objectsOn}
}

// objectsOf is the bucket of Kafka's stack, if it has one, for who only reads.
func objectsOf(kafka awscdk.Stack) objectStore {
	bucket, ok := kafka.Node().TryFindChild(jsii.String("Objects")).(awss3.Bucket)
	if !ok {
		return objectStore{}
	}
	return objectStore{bucket: bucket}
}

// mayUse tells a function of the bucket, and lets it do something with the objects.
func (o objectStore) mayUse(fn awslambda.Function, actions ...string) {
	if o.bucket == nil {
		return
	}
	fn.AddEnvironment(jsii.String("BUCKET_NAME"), o.bucket.BucketName(), nil)
	if !o.writes {
		fn.AddEnvironment(jsii.String("BUCKET_WRITES"), jsii.String("off"), nil)
	}
	fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{o.bucket.ArnForObjects(jsii.String("*"))},
	}))
	if actions[0] == getObjects {
		fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings(listObjects),
			Resources: &[]*string{o.bucket.BucketArn()},
		}))
	}
}
