package client

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/tailscale"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// posture does what is to be done at attributes of devices. A person has the access
// if any of their devices has the attribute.
type posture struct {
	tailnet
	http *vendorhttp.Client
}

// together is how many devices are asked for at the same time.
const together = 4

// device is one of the tailnet.
type device struct {
	ID       string   `json:"nodeId"`
	Name     string   `json:"name"`
	User     string   `json:"user"` // who added it
	Tags     []string `json:"tags"` // if any, they own it, and not the user
	External bool     `json:"isExternal"`

	attribute
}

// attribute is what a device has of the one that a target names.
type attribute struct {
	there bool
	value any
	until time.Time // zero: it does not end
}

// set tells whether the device has the attribute as we set it.
func (a attribute) set() bool { return a.there && a.value == true }

// devices gives those that satisfy a condition, with what they have of the target's
// attribute.
func (p posture) devices(ctx context.Context, target flow.Target, want func(device) bool) ([]device, error) {
	var answer struct {
		Devices []device `json:"devices"`
	}
	if err := p.http.Do(ctx, "GET", p.at("devices"), nil, nil, &answer); err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(answer.Devices, func(d device) bool { return d.External || !want(d) })
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(together)
	for i := range found {
		asking.Go(func() (err error) {
			found[i].attribute, err = p.attribute(ctx, found[i], tailscale.Attribute(target))
			return err
		})
	}
	return found, asking.Wait()
}

// of the person. Devices that were tagged since are theirs, too: they keep what was
// set before.
func of(login string) func(device) bool {
	return func(d device) bool { return strings.EqualFold(d.User, login) }
}

// attribute reads one of a device. Names are the same whatever their case.
func (p posture) attribute(ctx context.Context, d device, name string) (attribute, error) {
	var answer struct {
		Attributes map[string]any    `json:"attributes"`
		Expiries   map[string]string `json:"expiries"`
	}
	err := p.http.Do(ctx, "GET", p.path(d), nil, nil, &answer)
	if vendorhttp.Missing(err) {
		return attribute{}, nil // it was deleted meanwhile
	} else if err != nil {
		return attribute{}, err
	}
	var a attribute
	for key, value := range answer.Attributes {
		if strings.EqualFold(key, name) {
			a.there, a.value = true, value
		}
	}
	for key, text := range answer.Expiries {
		if strings.EqualFold(key, name) && text != "" {
			if a.until, err = time.Parse(time.RFC3339, text); err != nil {
				return attribute{}, flow.Errorf(flow.CodeUnavailable, "Tailscale says of %s that it ends at something that is no time", name)
			}
		}
	}
	return a, nil
}

func (p posture) path(d device, more ...string) string {
	return "/api/v2" + vendorhttp.Path(append([]string{"device", d.ID, "attributes"}, more...)...)
}

// grant sets the attribute on all devices that the person has now.
func (p posture) grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	u, err := p.member(ctx, p.http, c.Identity, c.Identity)
	if err != nil {
		return strategy.Result{}, err
	}
	mine := of(u.LoginName)
	devices, err := p.devices(ctx, c.Target, func(d device) bool { return mine(d) && len(d.Tags) == 0 })
	if err != nil {
		return strategy.Result{}, err
	}
	name := tailscale.Attribute(c.Target)
	if len(devices) == 0 {
		return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "%s has no device in the tailnet %s: sign in to Tailscale on the device that is to have the access, and press Retry", u.LoginName, p.integration.ExternalID)
	}
	for _, d := range devices {
		if d.there && !d.set() {
			return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "%s on %s is %v, which somebody else has set and is not overwritten: name an attribute that nothing else uses, or delete it there", name, flow.Clip(d.Name, 100), flow.Clip(fmt.Sprint(d.value), 60))
		}
	}
	until := c.Until.Truncate(time.Second)
	for _, d := range devices {
		if d.set() && d.until.Equal(until) {
			continue
		}
		body := map[string]any{"value": true, "comment": "sym run " + c.RunID}
		if !until.IsZero() {
			body["expiry"] = until.UTC().Format(time.RFC3339)
		}
		if err := p.http.Do(ctx, "POST", p.path(d, name), nil, body, nil); err != nil {
			return strategy.Result{}, err
		}
	}
	return strategy.Result{Output: covered(devices)}, nil
}

// covered names the devices, for handlers and records.
func covered(devices []device) json.RawMessage {
	var names []string
	for _, d := range devices {
		names = append(names, d.Name)
	}
	text, err := json.Marshal(map[string]any{"devices": names})
	if err != nil {
		return nil
	}
	return text
}

// revoke takes the attribute off all devices of the person that have it.
func (p posture) revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	devices, err := p.devices(ctx, c.Target, of(c.Identity))
	if err != nil {
		return strategy.Result{}, err
	}
	var warnings []string
	name := tailscale.Attribute(c.Target)
	for _, d := range devices {
		switch {
		case d.set():
			err := p.http.Do(ctx, "DELETE", p.path(d, name), nil, nil, nil)
			if err != nil && !vendorhttp.Missing(err) {
				return strategy.Result{}, err
			}
		case d.there:
			warnings = append(warnings, fmt.Sprintf("%s on %s is no longer what we set, and was left", name, flow.Clip(d.Name, 100)))
		}
	}
	if there, err := p.known(ctx, p.http, c.Identity); err == nil && !there { // else it is of no use to the removal
		warnings = append(warnings, p.left(c.Identity)...)
	}
	return strategy.Result{Warnings: warnings}, nil
}

// observe looks at all devices of the person. The end is the last one, as long as
// every device with the attribute has one.
func (p posture) observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	devices, err := p.devices(ctx, c.Target, of(c.Identity))
	if err != nil {
		return strategy.Sight{}, err
	}
	sight := strategy.Sight{Presence: flow.Absent}
	endless := false
	for _, d := range devices {
		if !d.set() {
			continue
		}
		sight.Presence = flow.Present
		endless = endless || d.until.IsZero()
		if d.until.After(sight.Until) {
			sight.Until = d.until
		}
	}
	if endless {
		sight.Until = time.Time{}
	}
	return sight, nil
}

// holders are the users of all devices that have the attribute.
func (p posture) holders(ctx context.Context, target flow.Target) ([]string, error) {
	devices, err := p.devices(ctx, target, func(d device) bool { return strings.Contains(d.User, "@") })
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range devices {
		if d.set() && !slices.Contains(out, d.User) {
			out = append(out, d.User)
		}
	}
	return out, nil
}
