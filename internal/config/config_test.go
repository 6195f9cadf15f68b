package config

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fill sets every text of a struct to a value of its own, so that a setting
// which Env forgets is missed.
func fill(v reflect.Value, path string) {
	for i := range v.NumField() {
		field, name := v.Field(i), path+"."+v.Type().Field(i).Name
		switch field.Kind() {
		case reflect.String:
			field.SetString("value of " + name)
		case reflect.Struct:
			fill(field, name)
		case reflect.Int64:
			field.SetInt(int64(time.Minute))
		default:
			panic("settings are texts and durations: " + name)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var want Settings
	fill(reflect.ValueOf(&want).Elem(), "Settings")
	want.LogFormat, want.LogLevel = "json", "warn"
	env := want.Env()
	got, err := Read(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("read %+v, wrote %+v", got, want)
	}
	if !maps.Equal(got.Env(), env) {
		t.Errorf("wrote %v, then %v", env, got.Env())
	}
}

func TestReadDefaults(t *testing.T) {
	t.Parallel()
	got, err := Read(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if want := (Settings{Org: "sym", LogFormat: "text"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, env string
		mode      Mode
		wrong     string // part of the error
	}{
		{"Nothing", "", Simulated, ""},
		{"Socket", "SLACK_APP_TOKEN SLACK_BOT_TOKEN", SocketMode, ""},
		{"HTTP", "SLACK_BOT_TOKEN SLACK_SIGNING_SECRET", HTTPMode, ""},
		{"AllThreeMeansSocket", "SLACK_APP_TOKEN SLACK_BOT_TOKEN SLACK_SIGNING_SECRET", SocketMode, ""},
		{"AppTokenAlone", "SLACK_APP_TOKEN", "", "SLACK_BOT_TOKEN is missing"},
		{"BotTokenAlone", "SLACK_BOT_TOKEN", "", "add SLACK_APP_TOKEN"},
		{"SecretAlone", "SLACK_SIGNING_SECRET", "", "SLACK_BOT_TOKEN is missing"},
		{"AppTokenAndSecret", "SLACK_APP_TOKEN SLACK_SIGNING_SECRET", "", "SLACK_BOT_TOKEN is missing"},
		{"URLAlone", "SLACK_API_URL", "", "SLACK_BOT_TOKEN too"},
		{"LogFormat", "SYM_LOG_FORMAT", "", "write text or json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			set := strings.Fields(test.env)
			s, err := Read(func(name string) string {
				for _, n := range set {
					if n == name {
						return "x"
					}
				}
				return ""
			})
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Fatalf("error %v, want one with %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if mode, _ := s.Slack.Mode(); mode != test.mode {
				t.Errorf("mode %q, want %q", mode, test.mode)
			}
		})
	}
}
