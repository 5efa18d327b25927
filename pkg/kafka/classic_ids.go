package kafka

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// clusterMemberKey is the attribute of a cluster's record by which it knows member ids again.
const clusterMemberKey = "mkey"

// newMemberID makes an id for a member: what the client calls itself, and random digits with a MAC. So an id
// that was given out needs no item before the member joins, and a client cannot choose one.
func (e *Engine) newMemberID(ctx context.Context, cluster, group, client string) (string, error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	if len(client) > maxName {
		client = client[:maxName]
	}
	id := client + "-" + hex.EncodeToString(random[:])
	mac, err := e.memberMAC(ctx, cluster, group, id)
	return id + mac, err
}

// isMemberID reports whether an id was made by newMemberID.
func (e *Engine) isMemberID(ctx context.Context, cluster, group, id string) (bool, error) {
	if len(id) <= memberMACDigits {
		return false, nil
	}
	mac, err := e.memberMAC(ctx, cluster, group, id[:len(id)-memberMACDigits])
	return err == nil && hmac.Equal([]byte(mac), []byte(id[len(id)-memberMACDigits:])), err
}

const memberMACDigits = 12

func (e *Engine) memberMAC(ctx context.Context, cluster, group, id string) (string, error) {
	key, err := e.memberKeyOf(ctx, cluster)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(mac, "%d %s %s", len(group), group, id)
	return hex.EncodeToString(mac.Sum(nil))[:memberMACDigits], nil
}

// memberKeyOf is the key of a cluster's member ids, which is made when it is needed first.
func (e *Engine) memberKeyOf(ctx context.Context, cluster string) (string, error) {
	record, err := e.record(ctx, clusterKey(cluster))
	if err != nil {
		return "", fmt.Errorf("reading cluster %s: %w", cluster, err)
	}
	if key := record.Get(clusterMemberKey).Str(); key != "" {
		return key, nil
	}
	err = e.repeat(ctx, func() error {
		return e.updateCluster(ctx, cluster, store.And{}, store.Default(clusterMemberKey, store.Bytes(writeID()+writeID())))
	})
	if err != nil {
		return "", err
	}
	if record, err = e.store.Get(ctx, clusterKey(cluster)); err != nil {
		return "", fmt.Errorf("reading cluster %s: %w", cluster, err)
	}
	return record.Get(clusterMemberKey).Str(), nil
}
