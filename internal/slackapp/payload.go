package slackapp

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// interaction is the part of Slack's interaction payloads that is used here.
// slack-go's own type reads all of a payload, messages and forms with every
// block included, and refuses the whole where it does not know a part; Slack
// adds parts at any time.
// https://docs.slack.dev/reference/interaction-payloads
type interaction struct {
	Type slack.InteractionType `json:"type"`
	// Team is the workspace of the person, null where the app is installed for an
	// organisation and they act outside of any.
	Team struct {
		ID           string `json:"id"`
		EnterpriseID string `json:"enterprise_id"`
		Domain       ident  `json:"domain"`
	} `json:"team"`
	Enterprise  ident  `json:"enterprise"` // null outside of organisations
	User        named  `json:"user"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	Container   struct {
		ChannelID   string `json:"channel_id"`
		MessageTS   string `json:"message_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message message `json:"message"` // whose button was pressed
	View    view    `json:"view"`
	// Actions are the buttons that were pressed, or the inputs that were changed.
	Actions []pressed `json:"actions"`
	State   entries   `json:"state"` // of the inputs of a message
	// What somebody typed into a picker, and where.
	BlockID string `json:"block_id"`
	Value   string `json:"value"`
	// Where a shortcut on a message was used.
	Channel   ident `json:"channel"`
	MessageTS ident `json:"message_ts"`

	raw  json.RawMessage // what was read
	spot *spot           // the view that waits, if this was handed on
}

type named struct {
	ID string `json:"id"`
}

// ident is an id that comes as an object with it, or alone. It is "" for any other
// shape.
type ident string

// UnmarshalJSON implements [json.Unmarshaler].
func (i *ident) UnmarshalJSON(b []byte) error {
	var object named
	var alone string
	if json.Unmarshal(b, &object) != nil && json.Unmarshal(b, &alone) != nil {
		return nil
	}
	*i = ident(cmp.Or(object.ID, alone))
	return nil
}

type pressed struct {
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
}

// message is a message of ours, as far as it says which run it shows. A message
// that can't be read shows no run.
type message struct {
	buttons []string // values
	runs    []string // that it names in its last line, by short ids; by whole ones in messages of earlier releases
}

// UnmarshalJSON passes over what it does not know.
func (m *message) UnmarshalJSON(b []byte) error {
	var in struct {
		Blocks []struct {
			Type     slack.MessageBlockType `json:"type"`
			Elements []json.RawMessage      `json:"elements"`
		} `json:"blocks"`
	}
	if json.Unmarshal(b, &in) != nil {
		return nil
	}
	for _, block := range in.Blocks {
		for _, raw := range block.Elements {
			switch block.Type {
			case slack.MBTAction:
				var button struct {
					Value string `json:"value"`
				}
				if json.Unmarshal(raw, &button) != nil {
					return nil
				}
				m.buttons = append(m.buttons, button.Value)
			case slack.MBTContext:
				var line struct {
					Text string `json:"text"`
				}
				_ = json.Unmarshal(raw, &line) // an image, say
				if run, ok := strings.CutPrefix(line.Text, requestLine); ok {
					m.runs = append(m.runs, run)
				}
			}
		}
	}
	return nil
}

// isOf tells whether the message is the one that the button was made for: it
// has the button, and shows no other run than the button's.
func (m message) isOf(b pressedButton) bool {
	other := func(name string) bool { return name != flow.ShortID(b.run) && name != b.run }
	return len(m.runs) > 0 && !slices.ContainsFunc(m.runs, other) &&
		slices.ContainsFunc(m.buttons, func(value string) bool { return readButton(value) == b }) &&
		!slices.ContainsFunc(m.buttons, func(value string) bool { other := readButton(value); return other.run != b.run || other.key != b.key })
}

// isNotice tells whether the message is a notice with this button alone.
func (m message) isNotice(value string) bool {
	return len(m.runs) == 0 && len(m.buttons) == 1 && m.buttons[0] == value
}

// view is a modal as it was when it was submitted or changed.
type view struct {
	ID   string         `json:"id"`
	Type slack.ViewType `json:"type"`
	// InstalledTeam is the workspace that has the app: people of another one of
	// its organisation may use it in channels that both share.
	InstalledTeam   string      `json:"app_installed_team_id"`
	CallbackID      string      `json:"callback_id"`
	PrivateMetadata string      `json:"private_metadata"`
	Blocks          []viewBlock `json:"blocks"`
	State           entries     `json:"state"`
}

// viewBlock is a block of a view, as far as it says what can be entered or pressed.
type viewBlock struct {
	Type    slack.MessageBlockType
	BlockID string
	buttons []string // values
}

// UnmarshalJSON passes over what it does not know.
func (b *viewBlock) UnmarshalJSON(raw []byte) error {
	type element struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	var in struct {
		Type      slack.MessageBlockType `json:"type"`
		BlockID   string                 `json:"block_id"`
		Accessory json.RawMessage        `json:"accessory"`
		Elements  json.RawMessage        `json:"elements"`
		Rows      json.RawMessage        `json:"rows"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return nil
	}
	*b = viewBlock{Type: in.Type, BlockID: in.BlockID}
	var found []element
	var one element
	var cells [][]struct {
		Element element `json:"element"`
	}
	switch in.Type {
	case slack.MBTSection:
		if json.Unmarshal(in.Accessory, &one) == nil {
			found = append(found, one)
		}
	case slack.MBTAction:
		_ = json.Unmarshal(in.Elements, &found)
	case slack.MBTDataTable:
		_ = json.Unmarshal(in.Rows, &cells)
		for _, row := range cells {
			for _, cell := range row {
				found = append(found, cell.Element)
			}
		}
	}
	for _, e := range found {
		if e.Type == string(slack.METButton) {
			b.buttons = append(b.buttons, e.Value)
		}
	}
	return nil
}

// shows tells whether the person had the button before them, where we put it: in a
// message of its run, in their Home tab or in a table of access.
func (in interaction) shows(b pressedButton) bool {
	if in.View.ID == "" {
		return in.Message.isOf(b)
	}
	home := in.View.Type == slack.VTHomeTab && in.View.CallbackID == viewHome
	return (home || in.View.Type == slack.VTModal && in.View.CallbackID == viewLive) &&
		slices.ContainsFunc(in.View.Blocks, func(block viewBlock) bool {
			return slices.ContainsFunc(block.buttons, func(value string) bool { return readButton(value) == b })
		})
}

// entries are what was entered, by block and action.
type entries struct {
	Values map[string]map[string]entry `json:"values"`
}

// entry is what was entered in one element; its type says which part counts.
type entry struct {
	Type             string   `json:"type"`
	Value            string   `json:"value"`
	SelectedUser     string   `json:"selected_user"`
	SelectedUsers    []string `json:"selected_users"`
	SelectedOption   option   `json:"selected_option"`
	SelectedOptions  []option `json:"selected_options"`
	SelectedDateTime int64    `json:"selected_date_time"` // seconds since 1970
}

type option struct {
	Value string `json:"value"`
}

// slashCommand is the part of Slack's slash commands that is used here, by the names
// that Socket Mode has for it.
// https://docs.slack.dev/interactivity/implementing-slash-commands
type slashCommand struct {
	Command     string `json:"command"`
	Text        string `json:"text"`
	TeamID      string `json:"team_id"`
	Enterprise  string `json:"enterprise_id"`
	ChannelID   string `json:"channel_id"`
	UserID      string `json:"user_id"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	AppID       string `json:"api_app_id"`

	spot *spot // the view that waits, if this was handed on
}

// origin is where a request comes from, by Slack's ids: "" for what it does not
// say.
type origin struct{ team, enterprise, installed string }

func (c slashCommand) origin() origin { return origin{team: c.TeamID, enterprise: c.Enterprise} }

func (in interaction) origin() origin {
	return origin{team: in.Team.ID, enterprise: cmp.Or(string(in.Enterprise), in.Team.EnterpriseID), installed: in.View.InstalledTeam}
}

// readCommand parses the body of a slash command. The errors of this file never
// quote a payload.
func readCommand(body []byte) (slashCommand, error) {
	form, err := url.ParseQuery(string(body))
	c := slashCommand{
		Command: form.Get("command"), Text: form.Get("text"), TeamID: form.Get("team_id"), Enterprise: form.Get("enterprise_id"),
		ChannelID: form.Get("channel_id"), UserID: form.Get("user_id"), TriggerID: form.Get("trigger_id"),
		ResponseURL: form.Get("response_url"), AppID: form.Get("api_app_id"),
	}
	if err != nil || c.Command == "" || c.UserID == "" {
		return c, errors.New("this is not a slash command")
	}
	return c, nil
}

// readInteraction parses an interaction's JSON.
func readInteraction(payload []byte) (in interaction, err error) {
	if json.Unmarshal(payload, &in) != nil {
		return in, errors.New("the payload can't be parsed")
	}
	in.raw = payload
	return in, nil
}
