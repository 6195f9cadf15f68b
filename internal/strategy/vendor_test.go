package strategy

import (
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for text, right := range map[string]bool{
		"https://vendor.example.com":      true,
		"https://vendor.example.com/api/": true,
		"http://127.0.0.1:9200":           true,
		"http://[::1]:9200":               true,
		"http://localhost":                true,
		"http://vendor.example.com":       false,
		"vendor.example.com":              false,
		"https://":                        false,
		"https://a:b@vendor.example.com":  false,
		"https://vendor.example.com?a=b":  false,
		"https://vendor.example.com#part": false,
		"ftp://vendor.example.com":        false,
	} {
		if err := CheckAddress(text); (err == nil) != right || err != nil && flow.CodeOf(err) != flow.CodeInvalid {
			t.Errorf("%s: %v, want it to be right: %t", text, err, right)
		}
	}
}

func TestVendor(t *testing.T) {
	t.Parallel()
	for text, right := range map[string]bool{
		"acme.example.com": true, "https://acme.example.com": true, "acme": false, "acme.example.com/login": false, "acme.example.com:443": false, "": false,
	} {
		if err := CheckDomain(text); (err == nil) != right {
			t.Errorf("%q: %v, want it to be a domain: %t", text, err, right)
		}
	}
	s := flow.Strategy{Integration: &flow.Integration{
		ExternalID: "https://Acme.example.com/", Settings: map[string]string{SettingAPIURL: "http://127.0.0.1:9200/"},
	}}
	if got := Domain(s.Integration); got != "acme.example.com" {
		t.Errorf("the domain is %q", got)
	}
	if got := Address(s.Integration, "https://acme.example.com"); got != "http://127.0.0.1:9200" {
		t.Errorf("the address is %q", got)
	}
	if got := Address(&flow.Integration{}, "https://acme.example.com/"); got != "https://acme.example.com" {
		t.Errorf("without api_url the address is %q", got)
	}
	if faults := CheckExternalID(flow.Strategy{}, CheckDomain); len(faults) > 0 {
		t.Errorf("without an integration: %v", faults)
	}
	s.Integration.ExternalID = "acme"
	if faults := CheckExternalID(s, CheckDomain); len(faults) != 1 || faults[0].Path != "integration.external_id" {
		t.Errorf("faults: %v", faults)
	}
}
