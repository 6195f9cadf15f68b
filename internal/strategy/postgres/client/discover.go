package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/postgres"
)

// Discover lists the roles that this strategy's login may grant, for each database
// that they may connect to. Roles that log in are people's and programs' own, and
// are left out. The numbers of roles are those of one server: names have what the
// configuration knows of it as well.
func (r roles) Discover(ctx context.Context) ([]flow.Target, error) {
	on, err := r.session(ctx, account.Caller{})
	if err != nil {
		return nil, err
	}
	defer on.close()
	list, err := read[[]struct {
		Role       string `json:"role"`
		RoleID     string `json:"role_id"`
		Database   string `json:"database"`
		DatabaseID string `json:"database_id"`
	}](ctx, on, Roles)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(postgres.Server(r.frozen)))
	var found []flow.Target
	for _, f := range list {
		found = append(found, flow.Target{
			Name: strings.Join([]string{"postgres", hex.EncodeToString(sum[:4]), f.RoleID, f.DatabaseID}, "-"), Type: postgres.TargetRole,
			Label: f.Role + " on " + f.Database, Settings: map[string]string{postgres.SettingRole: f.Role, postgres.SettingDatabase: f.Database},
		})
	}
	return found, nil
}
