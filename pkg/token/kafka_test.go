package token

import (
	"crypto/ed25519"
	"testing"
)

func TestTopicRules(t *testing.T) {
	for _, c := range []struct {
		rule             TopicRule
		scope            Scope
		topic            string
		produce, consume bool
	}{
		{TopicRule{}, ReadWrite, "red", true, true},
		{TopicRule{}, ReadOnly, "red", false, true},
		{TopicRule{PermitAll, "*"}, ReadWrite, "red", true, true},
		{TopicRule{PermitAll, "red"}, ReadWrite, "red", true, true},
		{TopicRule{PermitAll, "red"}, ReadWrite, "red2", false, false},
		{TopicRule{PermitProduce, "users.*"}, ReadWrite, "users.new", true, false},
		{TopicRule{PermitProduce, "users.*"}, ReadWrite, "users", false, false},
		{TopicRule{PermitConsume, "re*"}, ReadWrite, "red", false, true},
	} {
		claims := Claims{Scope: c.scope, Topics: c.rule}
		if p, r := claims.MayProduce(c.topic), claims.MayConsume(c.topic); p != c.produce || r != c.consume {
			t.Errorf("%+v, %s, %s: produce %v, consume %v", c.rule, c.scope, c.topic, p, r)
		}
	}
}

func TestTopicRuleSurvivesTheToken(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := NewVerifier(VerifierConfig{Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}, Product: ProductKafka})
	if err != nil {
		t.Fatal(err)
	}
	claims := Claims{CredentialID: "c", Resource: "cluster", Products: []string{ProductKafka}, Scope: ReadWrite, Topics: TopicRule{PermitProduce, "a*"}, Groups: "g*"}
	signed, err := signer.Mint(claims)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier.Verify(t.Context(), signed)
	if err != nil || got.Topics != claims.Topics || got.Groups != claims.Groups || got.KafkaUsername() != claims.KafkaUsername() {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []TopicRule{{"all", ""}, {"all", "a*b"}, {"some", "a"}, {"", "a"}} {
		claims.Topics = bad
		if _, err := signer.Mint(claims); err == nil {
			t.Errorf("%+v is minted", bad)
		}
	}
	claims.Topics, claims.Groups = TopicRule{}, "a*b"
	if _, err := signer.Mint(claims); err == nil {
		t.Error("a rule of groups with '*' inside is minted")
	}
}
