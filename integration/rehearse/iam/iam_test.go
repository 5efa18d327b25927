package iam

import (
	"encoding/json"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) []Statement {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	all, err := Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAllowed(t *testing.T) {
	policy := parse(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["dynamodb:GetItem","kms:ReEncrypt*"],"Resource":"arn:aws:dynamodb:x:1:table/t"},
		{"Effect":"Allow","Action":"ssm:GetParameter","Resource":["arn:aws:ssm:x:1:parameter/keys/*"]},
		{"Effect":"Deny","Action":"ssm:*","Resource":"arn:aws:ssm:x:1:parameter/keys/secret"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"role","Condition":{"StringEquals":{"iam:PassedToService":"scheduler.amazonaws.com"}}},
		{"Effect":"Allow","Action":"route53:Change","Resource":"zone","Condition":{"ForAllValues:StringEquals":{"names":["a","b"]}}},
		{"Effect":"Allow","Action":"kms:Decrypt","Resource":"key","Condition":{"StringLike":{"kms:ViaService":"dynamodb.*.amazonaws.com"}}}]}`)
	for _, c := range []struct {
		request Request
		want    bool
		by      int
	}{
		{Request{Action: "dynamodb:GetItem", Resource: "arn:aws:dynamodb:x:1:table/t"}, true, 0},
		{Request{Action: "dynamodb:getitem", Resource: "arn:aws:dynamodb:x:1:table/t"}, true, 0},
		{Request{Action: "dynamodb:PutItem", Resource: "arn:aws:dynamodb:x:1:table/t"}, false, -1},
		{Request{Action: "dynamodb:GetItem", Resource: "arn:aws:dynamodb:x:1:table/t2"}, false, -1},
		{Request{Action: "kms:ReEncryptTo", Resource: "arn:aws:dynamodb:x:1:table/t"}, true, 0},
		{Request{Action: "ssm:GetParameter", Resource: "arn:aws:ssm:x:1:parameter/keys/a/b"}, true, 1},
		{Request{Action: "ssm:GetParameter", Resource: "arn:aws:ssm:x:1:parameter/keys/secret"}, false, 2},
		{Request{Action: "iam:PassRole", Resource: "role"}, false, -1},
		{Request{Action: "iam:PassRole", Resource: "role", Context: map[string][]string{"iam:PassedToService": {"lambda.amazonaws.com"}}}, false, -1},
		{Request{Action: "iam:PassRole", Resource: "role", Context: map[string][]string{"iam:PassedToService": {"scheduler.amazonaws.com"}}}, true, 3},
		{Request{Action: "route53:Change", Resource: "zone", Context: map[string][]string{"names": {"a", "c"}}}, false, -1},
		{Request{Action: "route53:Change", Resource: "zone", Context: map[string][]string{"names": {"b"}}}, true, 4},
		{Request{Action: "kms:Decrypt", Resource: "key", Context: map[string][]string{"kms:ViaService": {"dynamodb.eu-central-1.amazonaws.com"}}}, true, 5},
	} {
		if ok, by := Allowed(policy, c.request); ok != c.want || by != c.by {
			t.Errorf("%v: %v by %d, want %v by %d", c.request, ok, by, c.want, c.by)
		}
	}
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	for _, text := range []string{
		`{"Statement":{"Effect":"Allow","NotAction":"x:*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Perhaps","Action":"x:*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"x:*","Resource":{"Ref":"T"}}}`,
		`{"Statement":{"Effect":"Allow","Action":"x:*","Resource":"*","Condition":{"DateLessThan":{"a":"b"}}}}`,
	} {
		var doc any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(doc); err == nil || !strings.HasPrefix(err.Error(), "iam: ") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
