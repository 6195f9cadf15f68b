package client

import (
	"context"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// members are the members of a group, who stay until they are taken out.
type members struct{ tenant }

// object is one of the directory, in lists of all kinds.
type object struct {
	ID   string `json:"id"`
	Kind string `json:"@odata.type"`
}

const aUser = "#microsoft.graph.user"

// alreadyThere is in what Graph says, with status 400 and no code of its own, of what
// is to be added and is there.
const alreadyThere = "added object references already exist"

func (m members) grant(ctx context.Context, c strategy.Call, group string) error {
	body := map[string]any{"@odata.id": m.place.Graph + v1("directoryObjects", c.Identity)}
	err := m.graph.Do(ctx, "POST", v1("groups", group, "members", "$ref"), nil, body, nil)
	if e := said(err); e != nil && e.Status == 400 && strings.Contains(e.Message, alreadyThere) {
		return nil
	}
	if notFound(err) { // both were there a moment ago
		return &flow.Error{Code: flow.CodeUnavailable, Message: "Entra does not know the group or the user everywhere yet", Cause: err}
	}
	return err
}

func (m members) revoke(ctx context.Context, c strategy.Call, group string) (gone bool, err error) {
	err = m.graph.Do(ctx, "DELETE", v1("groups", group, "members", c.Identity, "$ref"), nil, nil, nil)
	if notFound(err) {
		return true, nil
	}
	return false, err
}

// observe looks for the group among those that the user is in by themselves.
func (m members) observe(ctx context.Context, group, user string) (strategy.Sight, error) {
	sight := strategy.Sight{Presence: flow.Absent}
	for o, err := range all[object](ctx, m.graph, v1("users", user, "memberOf"), url.Values{"$select": {"id"}, "$top": {"999"}}) {
		if err != nil {
			return strategy.Sight{}, err
		}
		if strings.EqualFold(o.ID, group) {
			sight.Presence = flow.Present
		}
	}
	return sight, nil
}

func (m members) holders(ctx context.Context, group string) ([]string, error) {
	var found []string
	for o, err := range all[object](ctx, m.graph, v1("groups", group, "members"), url.Values{"$select": {"id"}, "$top": {"999"}}) {
		if err != nil {
			return nil, err
		}
		if o.Kind == aUser {
			found = append(found, o.ID)
		}
	}
	return found, nil
}
