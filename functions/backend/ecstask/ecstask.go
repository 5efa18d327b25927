// Package ecstask reads what ECS tells a task.
package ecstask

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
)

// ecsCredentials is where ECS serves credentials to the tasks of a machine.
const ecsCredentials = "http://169.254.170.2" // #nosec G101 -- an address

// Cloud is cloud.Environment for a task of ECS. Its credentials are those of the task's role, and
// AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI says where they are:
// ECS sets the second. Where neither is set, they are in the environment.
func Cloud(env *settings.Environment) cloud.Settings {
	url := env.Get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if path := env.Get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		url = ecsCredentials + path
	}
	if url == "" {
		return cloud.Environment(env)
	}
	return cloud.EnvironmentWith(env, aws.NewCredentialsCache(endpointcreds.New(url)))
}
