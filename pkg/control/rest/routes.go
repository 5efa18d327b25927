package rest

import (
	"net/http"

	"github.com/skystash/skystash/pkg/control"
)

// Reasons why a call of Upstash's has no counterpart.
const (
	noPlans    = "there are no plans here: a resource costs what AWS charges for it"
	noDaily    = "there are no daily backups here: call create-backup every day, such as by a schedule of QStash"
	noTeams    = "there are no teams here"
	noList     = "there are no allow lists here: bound the deployment's URL in AWS"
	noProdPack = "there is no production pack here"
)

// routes are the operations of the API.
func routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []route{
		{method: get, path: "/redis/databases", serve: (*exchange).databases},
		{method: post, path: "/redis/database", serve: (*exchange).createDatabase},
		{method: get, path: "/redis/database/{id}", serve: (*exchange).getDatabase},
		{method: del, path: "/redis/database/{id}", serve: (*exchange).deleteDatabase},
		{method: post, path: "/redis/rename/{id}", serve: (*exchange).renameDatabase},
		{method: post, path: "/redis/reset-password/{id}", serve: (*exchange).resetDatabase},
		{method: post, path: "/redis/enable-tls/{id}", serve: (*exchange).enableTLS},
		{method: post, path: "/redis/enable-eviction/{id}", serve: eviction(true)},
		{method: post, path: "/redis/disable-eviction/{id}", serve: eviction(false)},
		{method: post, path: "/redis/enable-autoupgrade/{id}", serve: setting(func(s *control.Settings) { s.AutoUpgrade = true })},
		{method: post, path: "/redis/disable-autoupgrade/{id}", serve: setting(func(s *control.Settings) { s.AutoUpgrade = false })},
		{method: post, path: "/redis/enable-prodpack/{id}", serve: setting(func(s *control.Settings) { s.ProdPack = true })},
		{method: post, path: "/redis/disable-prodpack/{id}", serve: setting(func(s *control.Settings) { s.ProdPack = false })},
		{method: patch, path: "/redis/update-budget/{id}", serve: budget(control.Redis)},
		{method: post, path: "/redis/update-regions/{id}", serve: (*exchange).updateRegions},
		{method: post, path: "/redis/update-allowlist/{id}", serve: unsupported(control.Redis, noList)},
		{method: post, path: "/redis/{id}/change-plan", serve: unsupported(control.Redis, noPlans)},
		{method: post, path: "/redis/move-to-team", serve: unsupported(control.Redis, noTeams)},
		{method: get, path: "/redis/stats/{id}", serve: (*exchange).databaseStats},
		{method: get, path: "/redis/list-backup/{id}", serve: (*exchange).backups},
		{method: post, path: "/redis/create-backup/{id}", serve: (*exchange).createBackup},
		{method: post, path: "/redis/restore-backup/{id}", serve: (*exchange).restoreBackup},
		{method: del, path: "/redis/delete-backup/{id}/{backup}", serve: (*exchange).deleteBackup},
		{method: patch, path: "/redis/enable-dailybackup/{id}", serve: unsupported(control.Redis, noDaily)},
		{method: patch, path: "/redis/disable-dailybackup/{id}", serve: unsupported(control.Redis, noDaily)},

		{method: get, path: "/kafka/clusters", serve: (*exchange).clusters},
		{method: post, path: "/kafka/cluster", serve: (*exchange).createCluster},
		{method: get, path: "/kafka/cluster/{id}", serve: (*exchange).getCluster},
		{method: del, path: "/kafka/cluster/{id}", serve: (*exchange).deleteCluster},
		{method: post, path: "/kafka/rename-cluster/{id}", serve: (*exchange).renameCluster},
		{method: post, path: "/kafka/reset-password/{id}", serve: (*exchange).resetCluster},
		{method: get, path: "/kafka/stats/cluster/{id}", serve: (*exchange).clusterStats},
		{method: post, path: "/kafka/topic", serve: (*exchange).createTopic},
		{method: get, path: "/kafka/topics/{id}", serve: (*exchange).topics},
		{method: get, path: "/kafka/topic/{id}", serve: (*exchange).getTopic},
		{method: post, path: "/kafka/update-topic/{id}", serve: (*exchange).updateTopic},
		{method: del, path: "/kafka/topic/{id}", serve: (*exchange).deleteTopic},
		{method: get, path: "/kafka/stats/topic/{id}", serve: (*exchange).topicStats},
		{method: post, path: "/kafka/credential", serve: (*exchange).createCredential},
		{method: get, path: "/kafka/credentials", serve: (*exchange).kafkaCredentials},
		{method: del, path: "/kafka/credential/{id}", serve: (*exchange).deleteCredential},

		{method: get, path: "/qstash/user", serve: (*exchange).firstQStash},
		{method: get, path: "/qstash/users", serve: (*exchange).qstashUsers},
		{method: get, path: "/qstash/user/{id}", serve: (*exchange).getQStash},
		{method: post, path: "/qstash/rotatetoken", serve: (*exchange).rotateFirstToken},
		{method: post, path: "/qstash/rotate-token/{id}", serve: (*exchange).rotateToken},
		{method: get, path: "/qstash/stats/{id}", serve: (*exchange).qstashStats},
		{method: get, path: "/qstash/ipv4", serve: (*exchange).addresses, open: true},
		{method: patch, path: "/qstash/update-budget/{id}", serve: budget(control.QStash)},
		{method: post, path: "/qstash/set-plan/{id}", serve: unsupported(control.QStash, noPlans)},
		{method: post, path: "/qstash/move-to-team", serve: unsupported(control.QStash, noTeams)},
		{method: post, path: "/qstash/enable-prodpack/{id}", serve: unsupported(control.QStash, noProdPack)},
		{method: post, path: "/qstash/disable-prodpack/{id}", serve: unsupported(control.QStash, noProdPack)},

		{method: get, path: "/skystash/account", serve: (*exchange).account},
		{method: get, path: "/skystash/resources", serve: (*exchange).listResources},
		{method: get, path: "/skystash/resource/{id}", serve: (*exchange).getResource},
		{method: del, path: "/skystash/resource/{id}", serve: (*exchange).deleteResource},
		{method: post, path: "/skystash/qstash", serve: (*exchange).createQStash},
		{method: get, path: "/skystash/credentials/{resource}", serve: (*exchange).credentials},
		{method: post, path: "/skystash/credentials/{resource}", serve: (*exchange).issueCredential},
		{method: get, path: "/skystash/credentials/{resource}/{id}", serve: (*exchange).getCredential},
		{method: del, path: "/skystash/credentials/{resource}/{id}", serve: (*exchange).revokeCredential},
		{method: get, path: "/skystash/users/{resource}", serve: (*exchange).users},
		{method: post, path: "/skystash/delete-records/{id}", serve: (*exchange).deleteRecords},
		{method: post, path: "/skystash/reset/{resource}", serve: (*exchange).resetCredentials},
		{method: get, path: "/skystash/limits/{resource}", serve: (*exchange).getLimits},
		{method: put, path: "/skystash/limits/{resource}", serve: (*exchange).setLimits},
		{method: get, path: "/skystash/usage/{resource}", serve: (*exchange).usage},
		{method: get, path: "/skystash/apikeys", serve: (*exchange).apiKeys},
		{method: post, path: "/skystash/apikeys", serve: (*exchange).createAPIKey},
		{method: del, path: "/skystash/apikeys/{id}", serve: (*exchange).revokeAPIKey},
		{method: get, path: "/skystash/signing-keys", serve: (*exchange).signingKeys},
		{method: post, path: "/skystash/signing-keys", serve: admin((*exchange).rotateSigningKey)},
		{method: del, path: "/skystash/signing-keys/{id}", serve: admin((*exchange).retireSigningKey)},
		{method: get, path: "/openapi.json", serve: (*exchange).openAPI, open: true},
	}
}
