package client

import (
	"context"
	"strings"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/postgres"
)

// Identity finds the user who is named by the person's e-mail address or, for
// those of the strategy's domain, by the part of it before the @.
func (r roles) Identity(ctx context.Context, who flow.Actor) (string, error) {
	domain := r.frozen.Settings[postgres.SettingIdentityDomain]
	how := "named by their e-mail address"
	short, of, _ := strings.Cut(who.Email, "@")
	if domain == "" || !strings.EqualFold(of, domain) {
		short = who.Email
	} else {
		how += ", or by what of it is before @" + domain
	}
	if who.Email == "" {
		return "", r.unknown(who, how)
	}
	on, err := r.session(ctx, account.Caller{Class: strategy.Granting})
	if err != nil {
		return "", err
	}
	defer on.close()
	found, err := read[[]string](ctx, on, Users, who.Email, short)
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", r.unknown(who, how)
	case 1:
		return found[0], postgres.CheckIdentity(found[0])
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s has %d users of PostgreSQL (%s): have an administrator save which one is meant, as who they are at postgres",
		who.Display(), len(found), flow.Clip(strings.Join(found, ", "), 200))
}

func (r roles) unknown(who flow.Actor, how string) error {
	return flow.Errorf(flow.CodeIdentity, "%s has no user of PostgreSQL that may log in and is %s: make one, or have an administrator save the name of theirs as who they are at postgres", who.Display(), how)
}
