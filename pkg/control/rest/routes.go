package rest

import (
	"net/http"

	"github.com/skystash/skystash/pkg/control"
)

// Reasons why a call of Upstash's has no counterpart.
const (
	noPlans    = "there are no plans here: a resource costs what AWS charges for it"
	noTeams    = "there are no teams here"
	noList     = "there are no allow lists here: bound the deployment's URL in AWS"
	noProdPack = "there is no production pack here"
)

// routes are the operations of the API.
func routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []route{
		{method: get, path: "/redis/databases", serve: (*call).databases},
		{method: post, path: "/redis/database", serve: (*call).createDatabase},
		{method: get, path: "/redis/database/{id}", serve: (*call).getDatabase},
		{method: del, path: "/redis/database/{id}", serve: (*call).deleteDatabase},
		{method: post, path: "/redis/rename/{id}", serve: (*call).renameDatabase},
		{method: post, path: "/redis/reset-password/{id}", serve: (*call).resetDatabase},
		{method: post, path: "/redis/enable-tls/{id}", serve: (*call).enableTLS},
		{method: post, path: "/redis/enable-eviction/{id}", serve: eviction(true)},
		{method: post, path: "/redis/disable-eviction/{id}", serve: eviction(false)},
		{method: post, path: "/redis/enable-autoupgrade/{id}", serve: setting(func(s *control.Settings) { s.AutoUpgrade = true })},
		{method: post, path: "/redis/disable-autoupgrade/{id}", serve: setting(func(s *control.Settings) { s.AutoUpgrade = false })},
		{method: post, path: "/redis/enable-prodpack/{id}", serve: setting(func(s *control.Settings) { s.ProdPack = true })},
		{method: post, path: "/redis/disable-prodpack/{id}", serve: setting(func(s *control.Settings) { s.ProdPack = false })},
		{method: patch, path: "/redis/update-budget/{id}", serve: budget(control.Redis)},
		{method: post, path: "/redis/update-regions/{id}", serve: (*call).updateRegions},
		{method: post, path: "/redis/update-allowlist/{id}", serve: unsupported(control.Redis, noList)},
		{method: post, path: "/redis/{id}/change-plan", serve: unsupported(control.Redis, noPlans)},
		{method: post, path: "/redis/move-to-team", serve: unsupported(control.Redis, noTeams)},
		{method: get, path: "/redis/stats/{id}", serve: (*call).databaseStats},

		{method: get, path: "/kafka/clusters", serve: (*call).clusters},
		{method: post, path: "/kafka/cluster", serve: (*call).createCluster},
		{method: get, path: "/kafka/cluster/{id}", serve: (*call).getCluster},
		{method: del, path: "/kafka/cluster/{id}", serve: (*call).deleteCluster},
		{method: post, path: "/kafka/rename-cluster/{id}", serve: (*call).renameCluster},
		{method: post, path: "/kafka/reset-password/{id}", serve: (*call).resetCluster},
		{method: get, path: "/kafka/stats/cluster/{id}", serve: (*call).clusterStats},
		{method: post, path: "/kafka/topic", serve: (*call).createTopic},
		{method: get, path: "/kafka/topics/{id}", serve: (*call).topics},
		{method: get, path: "/kafka/topic/{id}", serve: (*call).getTopic},
		{method: post, path: "/kafka/update-topic/{id}", serve: (*call).updateTopic},
		{method: del, path: "/kafka/topic/{id}", serve: (*call).deleteTopic},
		{method: get, path: "/kafka/stats/topic/{id}", serve: (*call).topicStats},
		{method: post, path: "/kafka/credential", serve: (*call).createCredential},
		{method: get, path: "/kafka/credentials", serve: (*call).kafkaCredentials},
		{method: del, path: "/kafka/credential/{id}", serve: (*call).deleteCredential},

		{method: get, path: "/qstash/user", serve: (*call).firstQStash},
		{method: get, path: "/qstash/users", serve: (*call).qstashUsers},
		{method: get, path: "/qstash/user/{id}", serve: (*call).getQStash},
		{method: post, path: "/qstash/rotatetoken", serve: (*call).rotateFirstToken},
		{method: post, path: "/qstash/rotate-token/{id}", serve: (*call).rotateToken},
		{method: get, path: "/qstash/stats/{id}", serve: (*call).qstashStats},
		{method: get, path: "/qstash/ipv4", serve: (*call).addresses, open: true},
		{method: patch, path: "/qstash/update-budget/{id}", serve: budget(control.QStash)},
		{method: post, path: "/qstash/set-plan/{id}", serve: unsupported(control.QStash, noPlans)},
		{method: post, path: "/qstash/move-to-team", serve: unsupported(control.QStash, noTeams)},
		{method: post, path: "/qstash/enable-prodpack/{id}", serve: unsupported(control.QStash, noProdPack)},
		{method: post, path: "/qstash/disable-prodpack/{id}", serve: unsupported(control.QStash, noProdPack)},

		{method: get, path: "/skystash/account", serve: (*call).account},
		{method: get, path: "/skystash/resources", serve: (*call).listResources},
		{method: get, path: "/skystash/resource/{id}", serve: (*call).getResource},
		{method: del, path: "/skystash/resource/{id}", serve: (*call).deleteResource},
		{method: post, path: "/skystash/qstash", serve: (*call).createQStash},
		{method: get, path: "/skystash/credentials/{resource}", serve: (*call).credentials},
		{method: post, path: "/skystash/credentials/{resource}", serve: (*call).issueCredential},
		{method: get, path: "/skystash/credentials/{resource}/{id}", serve: (*call).getCredential},
		{method: del, path: "/skystash/credentials/{resource}/{id}", serve: (*call).revokeCredential},
		{method: post, path: "/skystash/reset/{resource}", serve: (*call).resetCredentials},
		{method: get, path: "/skystash/limits/{resource}", serve: (*call).getLimits},
		{method: put, path: "/skystash/limits/{resource}", serve: (*call).setLimits},
		{method: get, path: "/skystash/usage/{resource}", serve: (*call).usage},
		{method: get, path: "/skystash/apikeys", serve: (*call).apiKeys},
		{method: post, path: "/skystash/apikeys", serve: (*call).createAPIKey},
		{method: del, path: "/skystash/apikeys/{id}", serve: (*call).revokeAPIKey},
		{method: get, path: "/skystash/signing-keys", serve: (*call).signingKeys},
		{method: post, path: "/skystash/signing-keys", serve: admin((*call).rotateSigningKey)},
		{method: del, path: "/skystash/signing-keys/{id}", serve: admin((*call).retireSigningKey)},
		{method: get, path: "/openapi.json", serve: (*call).openAPI, open: true},
	}
}
