package cfn

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// app loads two stacks, the second of which imports from the first.
func app(t *testing.T) *App {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"manifest.json": `{"artifacts":{
			"A":{"type":"aws:cloudformation:stack","environment":"aws://unknown-account/unknown-region","properties":{"templateFile":"a.json"}},
			"B":{"type":"aws:cloudformation:stack","environment":"aws://unknown-account/eu-central-1","properties":{"templateFile":"b.json","stackName":"Second"}},
			"Tree":{"type":"cdk:tree","properties":{"file":"tree.json"}}}}`,
		"a.json": `{"Parameters":{"Key":{"Type":"AWS::SSM::Parameter::Value<String>","Default":"/skystash/key"}},
			"Conditions":{"Here":{"Fn::Equals":[{"Ref":"AWS::Region"},"eu-central-1"]},"There":{"Fn::Not":[{"Condition":"Here"}]}},
			"Resources":{
				"Table":{"Type":"AWS::DynamoDB::Table","Properties":{}},
				"Group":{"Type":"AWS::Scheduler::ScheduleGroup","Properties":{"Name":"late"}},
				"Queue":{"Type":"AWS::SQS::Queue","Properties":{}},
				"Writer":{"Type":"Custom::CrossRegionExportWriter","Properties":{"WriterProps":{"exports":{"/cdk/x":{"Ref":"Table"}}}}},
				"Absent":{"Type":"AWS::SQS::Queue","Condition":"There"},
				"Function":{"Type":"AWS::Lambda::Function","Properties":{
					"Key":{"Ref":"Key"},
					"Group":{"Ref":"Group"},
					"Missing":{"Ref":"AWS::NoValue"},
					"If":{"Fn::If":["There","no",{"Fn::Sub":"${Group}/${Queue.QueueName}/${!x}"}]},
					"Second":{"Fn::Select":[1,{"Fn::Split":[":",{"Fn::GetAtt":["Table","Arn"]}]}]},
					"Arn":{"Fn::Join":["",["arn:",{"Ref":"AWS::Partition"},":scheduler:",{"Ref":"AWS::Region"},":",{"Ref":"AWS::AccountId"},":schedule/",{"Ref":"Group"},"/*"]]}}}},
			"Outputs":{"Export":{"Value":{"Fn::GetAtt":["Table","StreamArn"]},"Export":{"Name":"A:Table"}}}}`,
		"b.json": `{"Resources":{"Role":{"Type":"AWS::IAM::Role","Properties":{"Of":{"Fn::ImportValue":"A:Table"},"There":{"Fn::GetAtt":["Reader","/cdk/x"]}}},
			"Reader":{"Type":"Custom::CrossRegionExportReader"},
			"Odd":{"Type":"X","Properties":{"A":{"Fn::Base64":"x"}}}}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := Load(folder, "eu-central-1", map[string]string{"/skystash/key": "published"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestReferencesAreResolved(t *testing.T) {
	a := app(t)
	first := a.Stacks["A"]
	if got := first.Of("AWS::SQS::Queue"); !reflect.DeepEqual(got, []string{"Queue"}) {
		t.Errorf("queues %v: one is made only elsewhere", got)
	}
	got, err := first.Properties("Function")
	if err != nil {
		t.Fatal(err)
	}
	queue, _ := first.physical("Queue")
	want := map[string]any{
		"Key": "published", "Group": "late", "If": "late/" + queue + "/${x}", "Second": "aws",
		"Arn": "arn:aws:scheduler:eu-central-1:123456789012:schedule/late/*",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	second, err := a.Stacks["Second"].Properties("Role")
	table, _ := first.physical("Table")
	if second["There"] != table {
		t.Errorf("what was written for another region is %v, want %s", second["There"], table)
	}
	if err != nil || second["Of"] != "arn:aws:dynamodb:eu-central-1:123456789012:table/"+table+"/stream/2026-01-01T00:00:00.000" {
		t.Errorf("imported %v, %v", second, err)
	}
}

func TestWhatIsNotKnownIsNamed(t *testing.T) {
	if _, err := app(t).Stacks["Second"].Properties("Odd"); err == nil || !strings.Contains(err.Error(), "Odd in Second: Fn::Base64 of x") {
		t.Error(err)
	}
}
