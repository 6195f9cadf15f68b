package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// givenKey is a key that somebody has already, and secretKey one of their secrets.
const (
	givenKey  = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	secretKey = "arn:aws:kms:us-east-1:123456789012:key/mrk-5678abcd12ab34cd56ef1234567890ab"
)

// encrypted is the template with a key of its own. It is made once, and not to be
// changed.
var encrypted = sync.OnceValues(func() (template, error) {
	return synthesizeOnce(map[string]any{"kmsKey": "create", "secretKeys": secretKey, "alarmEmail": "ops@example.com"})
})

// encryptedBy says which key each resource names that keeps something.
func encryptedBy(made template) map[string]string {
	where := map[string][]any{
		"AWS::DynamoDB::Table":                 {"SSESpecification", "KMSMasterKeyId"},
		"AWS::S3::Bucket":                      {"BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "KMSMasterKeyID"},
		"AWS::SQS::Queue":                      {"KmsMasterKeyId"},
		"AWS::SNS::Topic":                      {"KmsMasterKeyId"},
		"AWS::Logs::LogGroup":                  {"KmsKeyId"},
		"AWS::SecretsManager::Secret":          {"KmsKeyId"},
		"AWS::KinesisFirehose::DeliveryStream": {"DeliveryStreamEncryptionConfigurationInput", "KeyARN"},
	}
	found := map[string]string{}
	for id, r := range made.Resources {
		if path, keeps := where[r.Type]; keeps {
			found[id] = ""
			if key := at(r.Properties, path...); key != nil {
				found[id] = text(key)
			}
		}
	}
	return found
}

// TestKey: what keeps anything is encrypted by the key, made or given, but for the
// topic that tells of the key; and by none if there is none.
func TestKey(t *testing.T) {
	t.Parallel()
	created, err := encrypted()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		made template
		want string
		keys int
	}{
		"none":    {standard(t), "", 0},
		"created": {created, "${Key.Arn}", 1},
		"given":   {synthesize(t, map[string]any{"kmsKey": givenKey}), givenKey, 0},
	} {
		all := encryptedBy(c.made)
		if len(all) < 20 {
			t.Errorf("%s: found only %v", name, all)
		}
		for id, key := range all {
			want := c.want
			if id == "KeyAlarmTopic" {
				want = ""
			}
			if key != want {
				t.Errorf("%s: %s is encrypted by %q, not %q", name, id, key, want)
			}
		}
		if n := len(c.made.ofType("AWS::KMS::Key")); n != c.keys {
			t.Errorf("%s: %d keys were made", name, n)
		}
		if output, ok := c.made.Outputs["KeyArn"]; ok != (c.want != "") || ok && text(output.Value) != c.want {
			t.Errorf("%s: the output names %v", name, output.Value)
		}
		for id, q := range c.made.ofType("AWS::SQS::Queue") {
			if both := q.Properties["SqsManagedSseEnabled"] != nil && q.Properties["KmsMasterKeyId"] != nil; both {
				t.Errorf("%s: SQS refuses %s, which has two kinds of encryption", name, id)
			}
		}
	}
	key := created.Resources["Key"]
	if key.Properties["EnableKeyRotation"] != true || key.DeletionPolicy != "Retain" || key.UpdateReplacePolicy != "Retain" {
		t.Errorf("the key is %v", key)
	}
}

// TestKeyPolicy holds who may use the key, as its policy says and roles do, against
// the list that was reviewed. Nothing in it needs what needs the key.
func TestKeyPolicy(t *testing.T) {
	t.Parallel()
	made, err := encrypted()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"# What the key's policy says"}
	policy := at(made.Resources["Key"].Properties, "KeyPolicy")
	for _, s := range at(policy, "Statement").([]any) {
		line := fmt.Sprintf("%s: %s may %s", text(at(s, "Sid")), text(at(s, "Principal")), strings.Join(texts(at(s, "Action")), " | "))
		if service := at(s, "Principal", "Service"); service != nil {
			line = fmt.Sprintf("%s: %s may %s", text(at(s, "Sid")), text(service), strings.Join(texts(at(s, "Action")), " | "))
		} else if account := at(s, "Principal", "AWS"); account != nil {
			line = fmt.Sprintf("%s: %s may %s", text(at(s, "Sid")), text(account), strings.Join(texts(at(s, "Action")), " | "))
		}
		if c := conditions(at(s, "Condition")); c != "" {
			line += " if " + c
		}
		lines = append(lines, line)
	}
	written, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	for id := range made.Resources {
		if strings.Contains(string(written), `"`+id+`"`) {
			t.Errorf("the key's policy needs %s, which needs the key", id)
		}
	}
	var roles []string
	for _, g := range rightsOf(t, made) {
		if strings.HasPrefix(g.action, "kms:") && g.action != "kms:Sign" {
			roles = append(roles, g.String())
			if !strings.Contains(g.condition, "kms:ViaService StringEquals ") {
				t.Errorf("by itself: %s", g)
			}
		}
	}
	slices.Sort(roles)
	compare(t, "key.txt", append(append(lines, "", "# What each role may do with keys"), roles...))
	for _, fault := range ruleFaults(rightsOf(t, made)) {
		t.Error(fault)
	}
}

// TestKeyRights: whoever may use what the key encrypts may use the key for it, by
// the service that asks for it, and nobody else may.
func TestKeyRights(t *testing.T) {
	t.Parallel()
	made, err := encrypted()
	if err != nil {
		t.Fatal(err)
	}
	type use struct{ who, service, action string }
	needed, may := map[use]bool{}, map[use]bool{}
	for _, g := range rightsOf(t, made) {
		switch {
		case strings.HasPrefix(g.action, "dynamodb:"):
			needed[use{g.who, "dynamodb", "kms:Decrypt"}] = true
		case g.action == "s3:PutObject":
			needed[use{g.who, "s3", "kms:Decrypt"}], needed[use{g.who, "s3", "kms:GenerateDataKey"}] = true, true
		case g.action == "s3:GetObject" && (strings.HasPrefix(g.resource, "${LogBucket.Arn}") || strings.HasPrefix(g.resource, "${AuditBucket.Arn}/reports/")):
			needed[use{g.who, "s3", "kms:Decrypt"}] = true
		case g.action == "sqs:SendMessage":
			needed[use{g.who, "sqs", "kms:Decrypt"}], needed[use{g.who, "sqs", "kms:GenerateDataKey"}] = true, true
		case g.action == "sqs:ReceiveMessage":
			needed[use{g.who, "sqs", "kms:Decrypt"}] = true
		case g.action == "secretsmanager:GetSecretValue":
			needed[use{g.who, "secretsmanager", "kms:Decrypt"}] = true
		}
		for _, service := range keyServices {
			if strings.HasPrefix(g.action, "kms:") && strings.Contains(g.condition, service+".") {
				may[use{g.who, service, g.action}] = true
			}
		}
	}
	for u := range needed {
		if !may[u] {
			t.Errorf("%s may not %s by %s", u.who, u.action, u.service)
		}
	}
	for u := range may {
		if u.service != "dynamodb" && !needed[u] || u.service == "dynamodb" && !needed[use{u.who, u.service, "kms:Decrypt"}] {
			t.Errorf("%s may %s by %s, and has no use for it", u.who, u.action, u.service)
		}
	}
}

// TestSecretKeys: secrets of the configuration are decrypted by those alone who may
// read them, with the keys that are named, and by Secrets Manager only.
func TestSecretKeys(t *testing.T) {
	t.Parallel()
	made := synthesize(t, map[string]any{"secretKeys": secretKey})
	readers, users := map[string][]string{}, map[string]string{}
	for _, g := range rightsOf(t, made) {
		if g.action == "secretsmanager:GetSecretValue" && !strings.HasPrefix(g.resource, "${") {
			readers[g.who] = append(readers[g.who], g.resource)
		}
		if g.action == "kms:Decrypt" {
			if g.resource != secretKey {
				t.Errorf("another key: %s", g)
			}
			users[g.who] = g.condition
		}
	}
	if len(readers) < 3 {
		t.Fatalf("only %v read secrets", readers)
	}
	for who, secrets := range readers {
		slices.Sort(secrets)
		for _, s := range secrets {
			if !strings.Contains(users[who], s) {
				t.Errorf("%s may read %s, and not decrypt it: %s", who, s, users[who])
			}
		}
		if n := strings.Count(users[who], ":secret:"); n != len(secrets) || !strings.Contains(users[who], "kms:ViaService StringEquals secretsmanager.") {
			t.Errorf("%s decrypts by %s", who, users[who])
		}
		delete(users, who)
	}
	if len(users) > 0 {
		t.Errorf("these read no secrets of the configuration: %v", slices.Collect(maps.Keys(users)))
	}
}

// TestKeyAlarm: when the key is out of order, somebody is told by a topic that does
// without it.
func TestKeyAlarm(t *testing.T) {
	t.Parallel()
	made, err := encrypted()
	if err != nil {
		t.Fatal(err)
	}
	if got := texts(made.Resources["SweepSilentAlarm"].Properties["AlarmActions"]); !slices.Equal(got, []string{"${AlarmTopic}", "${KeyAlarmTopic}"}) {
		t.Errorf("the silence of the sweep is told to %q", got)
	}
	rule := made.Resources["KeyRule"].Properties
	if got := texts(at(rule, "EventPattern", "detail", "eventName")); !slices.Equal(got, []string{"DisableKey", "ScheduleKeyDeletion"}) {
		t.Errorf("it is told of %q", got)
	}
	if got := text(at(rule, "EventPattern", "detail", "resources", "ARN", 0)); got != "${Key.Arn}" {
		t.Errorf("of the key %s", got)
	}
	if got := text(at(rule, "Targets", 0, "Arn")); got != "${KeyAlarmTopic}" {
		t.Errorf("it tells %s", got)
	}
	var mailed []string
	for _, s := range made.ofType("AWS::SNS::Subscription") {
		mailed = append(mailed, text(s.Properties["TopicArn"]))
	}
	slices.Sort(mailed)
	if !slices.Equal(mailed, []string{"${AlarmTopic}", "${KeyAlarmTopic}"}) {
		t.Errorf("mails are sent of %q", mailed)
	}
	if standard(t).Resources["KeyAlarmTopic"].Type != "" {
		t.Error("there is a topic for a key that is not there")
	}
}
