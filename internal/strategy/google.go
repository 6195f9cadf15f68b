package strategy

import (
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// Google is the type of the integration with Google: who we are there. Its settings
// are those of Google's file of credentials for workloads in AWS, as Sym had them.
const Google = "google"

// The settings of an integration with Google.
const (
	SettingGoogleAudience      = "audience"
	SettingGoogleSubjectToken  = "subject_token_type"
	SettingGoogleImpersonation = "service_account_impersonation_url"
	SettingGoogleTokenURL      = "token_url"
	SettingGoogleCustomer      = "customer_id"
	SettingGoogleAccount       = "service_account"
	SettingGoogleSubject       = "subject"
)

// What Google's Security Token Service takes as a word on who we are.
const (
	GoogleTokenAWS = "urn:ietf:params:aws:token-type:aws4_request" // a signed request to AWS, which Google makes for us
	GoogleTokenJWT = "urn:ietf:params:oauth:token-type:jwt"        // AWS's own identity token
)

// What Google's names look like:
// https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds
var (
	googleAudience = pattern.Of(`^//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+$`)
	impersonation  = pattern.Of(`^/v1/projects/-/serviceAccounts/([^/:]+@[^/:]+):generateAccessToken$`)
	googleCustomer = pattern.Of(`^(my_customer|C[0-9A-Za-z]+)$`)
	googleAddress  = pattern.Of(`^[^@\s/]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
)

// GoogleIntegration is the integration of strategies that act at Google.
func GoogleIntegration() Integration {
	settings := []Setting{
		{Name: SettingGoogleAudience, About: "the provider of the workload identity pool that lets us in without a key, like //iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/sym/providers/aws", Check: Form(googleAudience, "the full name of a provider, like //iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sym/providers/aws")},
		{Name: SettingGoogleSubjectToken, About: "what the provider takes: " + GoogleTokenAWS + " (a provider for AWS; unless set) or " + GoogleTokenJWT + " (one for OpenID Connect: AWS's identity token)", Check: checkSubjectToken},
		{Name: SettingGoogleImpersonation, About: "the address at which the service account is acted as, like https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sym@acme.iam.gserviceaccount.com:generateAccessToken", Check: checkImpersonation},
		{Name: SettingGoogleTokenURL, About: "the address at which tokens are exchanged; https://sts.googleapis.com/v1/token unless set", Check: CheckAddress},
		{Name: SettingGoogleSubject, About: "the address of the administrator for whom the service account acts, by domain-wide delegation; unless set, it acts for itself", Check: CheckGoogleAddress},
		{Name: SettingGoogleCustomer, About: "the id of the Workspace, like C046psxkn, to list groups", Check: Form(googleCustomer, "the id of a Workspace, like C046psxkn")},
		{Name: SettingGoogleAccount, About: "with a key, instead of audience: the address of the service account, like sym@acme.iam.gserviceaccount.com", Check: CheckGoogleAddress},
	}
	settings = append(settings, PrivateKey("which is private_key in the file that Google gives")...)
	return Integration{Need: Required, Types: []string{Google}, Settings: append(settings, APIURL("Google's")), SignIns: []SignIn{
		{By: "a service account, by AWS's word on who we are (workload identity federation)"},
		{By: "a service account whose key is in AWS KMS and never leaves it"},
		{By: "a service account with a key", Secret: SettingPrivateKey, Why: "only where Google may not trust AWS's word"},
	}}
}

func checkSubjectToken(v string) error {
	if v == GoogleTokenAWS || v == GoogleTokenJWT {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be %s or %s", GoogleTokenAWS, GoogleTokenJWT)
}

func checkImpersonation(v string) error {
	if err := CheckAddress(v); err != nil {
		return err
	}
	if serviceAccountIn(v) == "" {
		return flow.Errorf(flow.CodeInvalid, "must end with /v1/projects/-/serviceAccounts/, the service account's address and :generateAccessToken")
	}
	return nil
}

// CheckGoogleAddress holds a text to the form of the address of a user or a group.
// The error has flow.CodeInvalid and says what to write.
func CheckGoogleAddress(v string) error {
	return Form(googleAddress, "an address, like oncall@example.com")(v)
}

// CheckGoogle finds what settings of an integration with Google contradict each
// other. It is for [Type.Rules].
func CheckGoogle(s flow.Strategy) []flow.Fault {
	if s.Integration == nil {
		return nil
	}
	var faults []flow.Fault
	fault := func(setting, message string) {
		faults = append(faults, flow.Fault{Path: "integration.settings." + setting, Message: message})
	}
	settings, key := s.Integration.Settings, HasPrivateKey(s.Integration)
	missing := func(setting, what string) {
		if settings[setting] == "" {
			fault(setting, "is required: "+what)
		}
	}
	superfluous := func(setting, beside string) {
		if settings[setting] != "" {
			fault(setting, "does not go with "+beside+": remove it")
		}
	}
	switch {
	case !key && settings[SettingGoogleAudience] == "":
		fault(SettingGoogleAudience, "is required: the provider of the workload identity pool; or "+SettingPrivateKey+", where a key is to be kept")
	case !key:
		missing(SettingGoogleImpersonation, "the address at which the service account is acted as")
		superfluous(SettingGoogleAccount, SettingGoogleAudience)
	default:
		missing(SettingGoogleAccount, "the address of the service account whose key it is")
		superfluous(SettingGoogleAudience, "a private key")
		superfluous(SettingGoogleImpersonation, "a private key")
	}
	faults = append(faults, CheckPrivateKey(s)...)
	return faults
}

// GoogleServiceAccount gives the address of the service account that an integration
// acts as.
func GoogleServiceAccount(i *flow.Integration) string {
	if HasPrivateKey(i) {
		return i.Settings[SettingGoogleAccount]
	}
	return serviceAccountIn(i.Settings[SettingGoogleImpersonation])
}

func serviceAccountIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if m := impersonation.FindStringSubmatch(u.Path); m != nil {
		return m[1]
	}
	return ""
}

// GoogleRights is what signing in to Google needs in AWS: nothing where Google
// believes a request that AWS signs.
func GoogleRights(s flow.Strategy) Rights {
	if s.Integration == nil {
		return Rights{}
	}
	if i := s.Integration; !HasPrivateKey(i) && i.Settings[SettingGoogleSubjectToken] == GoogleTokenJWT {
		return IdentityTokens(GoogleJWTAudience(i))
	}
	return PrivateKeyRights(s.Integration)
}

// GoogleJWTAudience is whom AWS's identity token is for: the provider's name with
// https:, which is the audience that providers take unless they are told others.
func GoogleJWTAudience(i *flow.Integration) string {
	return "https:" + strings.TrimPrefix(i.Settings[SettingGoogleAudience], "https:")
}
