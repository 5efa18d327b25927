package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// addBackups makes the bucket for backups of databases, which only the control plane's function reads and writes. It stays when the
// stack is destroyed, whatever keepData says: backups are for what goes wrong. Reading needs the right to list, see getObjects.
func addBackups(stack awscdk.Stack, fn awslambda.Function) {
	bucket := awss3.NewBucket(stack, jsii.String("Backups"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
	})
	fn.AddEnvironment(jsii.String("BACKUP_BUCKET"), bucket.BucketName(), nil)
	fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(getObjects, putObjects, deleteObjects), Resources: &[]*string{bucket.ArnForObjects(jsii.String("*"))},
	}))
	fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(listObjects), Resources: &[]*string{bucket.BucketArn()},
	}))
	output(stack, "BackupBucket", bucket.BucketName(), "The bucket of the databases' backups, for scripts/admin backup")
}
