package slackapp

import (
	"context"
	"encoding/json"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// viewHome is the callback id of the Home tab.
const viewHome = "home"

// homeOpened shows somebody who opens the app's Home tab what is theirs there.
func (a *App) homeOpened(ctx context.Context, e event) error {
	var opened struct {
		Tab string `json:"tab"`
	}
	if json.Unmarshal(e.Inner, &opened) != nil || opened.Tab != "" && opened.Tab != viewHome {
		return nil // their messages with the app
	}
	who, err := a.Directory.Known(ctx, e.User)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return nil
	}
	if err != nil {
		return err
	}
	o, err := a.ownOf(ctx, who)
	if err != nil {
		return err
	}
	p := page{}
	p.runs("*Your access*", o.access, a.Now(), true)
	p.runs("*Your open requests*", o.open, a.Now(), true)
	if len(p.blocks) == 0 {
		p.add(section("You have no access now, and no open request. Ask with `/sym req`."))
	}
	view := slack.HomeTabViewRequest{Type: slack.VTHomeTab, CallbackID: viewHome, Blocks: slack.Blocks{BlockSet: p.blocks}}
	_, err = a.API.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: who.SlackID, View: view})
	return err
}
