package postgres

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings of a target.
const (
	SettingRole     = "role"
	SettingDatabase = "database"
)

// The settings of the strategy.
const (
	SettingResourceARN    = "resource_arn"
	SettingSecret         = "secret_id"
	SettingDSN            = "dsn_secret_id"
	SettingCA             = "ca_secret_id"
	SettingIdentityDomain = "identity_domain"
)

// TargetRole is the type of its targets.
const TargetRole = "postgres_role"

// Type is the strategy's type. Its targets name a role each.
func Type() strategy.Type {
	aws := strategy.AWSIntegration()
	return strategy.Type{
		Name: "postgres", About: "PostgreSQL: membership of users in roles, by the RDS Data API or a connection",
		Integration: aws,
		Settings: strategy.Settings{Known: []strategy.Setting{
			{Name: SettingResourceARN, About: "the ARN of the Aurora cluster, for the RDS Data API; goes with secret_id", Check: checkCluster},
			{Name: SettingSecret, About: "the name of the secret with username and password, which the RDS Data API reads; its path is the secret's whole ARN"},
			{Name: SettingDSN, About: "the name of the secret with the connection string, like postgres://sym:…@db.example.com/postgres, instead of resource_arn and secret_id. The server's certificate is checked (sslmode=verify-full) unless the string says otherwise: with verify-ca it may be another server's of the same authority, with require anybody's, and with disable all of it, and who has what, can be read and changed on the way"},
			{Name: SettingCA, About: "the name of the secret with the certificates, in PEM, of the authorities that the server's certificate may come from, for dsn_secret_id; those that the system trusts unless set, among which are not those of Amazon RDS"},
			{Name: strategy.SettingEndSessions, About: `"true": the person's sessions at the server, in whichever database, are ended with the access; "false" unless set`, Check: strategy.CheckBoolean},
			{Name: SettingIdentityDomain, About: "the domain of e-mail addresses whose part before the @ is the name of the person's user, like example.com; unless set, users are named by the whole address", Check: checkDomain},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetRole,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingRole, Label: "Role", About: "the name of the role, as the catalog has it: capital letters count", Required: true, Check: checkName, Bindable: true},
				{Name: SettingDatabase, Label: "Database", About: "the name of the database that the role is for. Roles belong to the whole server: in which databases one may do what is up to its privileges", Required: true, Check: checkName, Bindable: true},
			}},
			Closes: "When it ends, all of the person's sessions at the database server are closed, whatever they are doing.",
			Habits: strategy.Habits{
				Before:  "read first, and kept; from version 16 on, what others granted is told apart, and stays whenever it was granted. Before that, a later grant of others is not told apart from ours",
				Expiry:  "no: `VALID UNTIL` ends passwords, not memberships",
				Lingers: "what is inherited ends with the next statement; what a session has taken on by `SET ROLE` stays until it is closed, for which there is `end_sessions`",
				Limit:   "none; one connection for each step, and a server that has no more to give is asked again later",
			},
		}},
		Observes: true,
		Rules:    rules,
		Rights:   rights,
	}
}

var (
	cluster = pattern.Of(`^arn:(aws[a-z-]*):rds:([a-z]+(?:-[a-z]+)+-[0-9]+):([0-9]{12}):cluster:[A-Za-z0-9-]+$`)
	domain  = pattern.Of(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]+$`)
)

// maxName is how many bytes of a name PostgreSQL looks at: it cuts longer ones
// silently, so that they would name something else.
const maxName = 63

func checkCluster(v string) error {
	if cluster.MatchString(v) {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the ARN of an Aurora cluster, like arn:aws:rds:us-east-1:123456789012:cluster:orders")
}

func checkDomain(v string) error {
	if domain.MatchString(v) {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be a domain, like example.com")
}

func checkName(v string) error {
	if len(v) > maxName || strings.ContainsFunc(v, unicode.IsControl) || !validUTF8(v) {
		return flow.Errorf(flow.CodeInvalid, "must be a name of at most %d bytes, on one line and without quotes around it", maxName)
	}
	return nil
}

func validUTF8(v string) bool { return strings.ToValidUTF8(v, "") == v }

// rules: one way to the server, whole.
func rules(s flow.Strategy) []flow.Fault {
	var faults []flow.Fault
	fault := func(path, message string) { faults = append(faults, flow.Fault{Path: path, Message: message}) }
	arn, byAPI := s.Settings[SettingResourceARN], s.Settings[SettingResourceARN] != ""
	secret, hasSecret := s.Secrets[SettingSecret]
	_, hasDSN := s.Secrets[SettingDSN]
	switch {
	case !byAPI && !hasSecret && !hasDSN:
		fault("settings", "does not say which server: write resource_arn and secret_id for the RDS Data API, or dsn_secret_id for a connection")
	case hasDSN && (byAPI || hasSecret):
		fault("settings."+SettingDSN, "is another way than resource_arn and secret_id: write one of them")
	case byAPI && !hasSecret:
		fault("settings."+SettingSecret, "is required with resource_arn: the name of the secret with username and password")
	case hasSecret && !byAPI:
		fault("settings."+SettingResourceARN, "is required with secret_id: the ARN of the cluster")
	}
	if _, hasCA := s.Secrets[SettingCA]; hasCA && !hasDSN {
		fault("settings."+SettingCA, "is of no use without dsn_secret_id: remove it")
	}
	if hasSecret && byAPI {
		if !strings.HasPrefix(secret.Path, "arn:") {
			fault("settings."+SettingSecret, "is handed to the RDS Data API by its ARN: write the whole ARN as the secret's path, which is "+secret.Path)
		}
		if secret.JSONKey != "" {
			fault("settings."+SettingSecret, "is read by the RDS Data API, which takes username and password from it: remove the secret's json_key")
		}
	}
	if s.Integration != nil && !byAPI {
		fault("integration_id", "is of no use without resource_arn: remove it")
		return faults
	}
	faults = append(faults, strategy.CheckAWSAccount(s)...)
	if m := cluster.FindStringSubmatch(arn); m != nil && s.Integration != nil {
		if in := strategy.AccountOf(s); in.ID != strategy.Account && in.ID != m[3] {
			fault("settings."+SettingResourceARN, "is a cluster of account "+m[3]+", and the integration is of account "+in.ID+": name one account")
		}
		if region := s.Integration.Settings[strategy.SettingRegion]; region != "" && region != m[2] {
			fault("settings."+SettingResourceARN, "is a cluster in "+m[2]+", and the integration's region is "+region+": name one region")
		}
	}
	return faults
}

// AccountOf says in which account of AWS the cluster is, and where.
func AccountOf(s flow.Strategy) strategy.AWSAccount {
	in := strategy.AccountOf(s)
	if m := cluster.FindStringSubmatch(s.Settings[SettingResourceARN]); m != nil {
		in.Partition, in.Region, in.ID = m[1], m[2], m[3]
	}
	return in
}

// rights: the RDS Data API reads the secret by the rights of who calls it, which
// are those that settings which name secrets bring.
func rights(s flow.Strategy) strategy.Rights {
	arn := s.Settings[SettingResourceARN]
	if !cluster.MatchString(arn) {
		return strategy.Rights{}
	}
	return AccountOf(s).Rights(strategy.Allow{Actions: []string{"rds-data:ExecuteStatement"}, Resources: []string{arn}})
}

// CheckIdentity holds an identity to being the name of a user. The error has
// flow.CodeIdentity and says what to save instead.
func CheckIdentity(identity string) error {
	if identity != "" && checkName(identity) == nil {
		return nil
	}
	return flow.Errorf(flow.CodeIdentity, "%q is no user of PostgreSQL: have an administrator save the name of theirs, at most %d bytes, as who they are at postgres", flow.Clip(identity, 100), maxName)
}

// Entitlements says what a target means for an identity: the membership, which is
// the same in all databases of a server.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := CheckIdentity(identity); err != nil {
		return nil, err
	}
	return []flow.Entitlement{{Key: strings.Join([]string{"postgres", Server(s), url.PathEscape(target.Settings[SettingRole]), url.PathEscape(identity)}, "/")}}, nil
}

// Server names the server by what the configuration has of it: the cluster's ARN,
// or the secret with the connection string.
func Server(s flow.Strategy) string {
	if arn := s.Settings[SettingResourceARN]; arn != "" {
		return arn
	}
	ref := s.Secrets[SettingDSN]
	name := url.PathEscape(ref.Path)
	if ref.JSONKey != "" {
		name += "#" + url.PathEscape(ref.JSONKey)
	}
	return name
}
