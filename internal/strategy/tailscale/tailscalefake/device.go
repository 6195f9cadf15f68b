package tailscalefake

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/strategy/tailscale"
)

// Device is one as a test adds it.
type Device struct {
	ID       string // "nabc1CNTRL"
	User     string // the login name of who added it
	Tags     []string
	External bool // shared by another tailnet
}

type device struct {
	Device
	attributes map[string]attribute
}

// attribute is a custom one of a device.
type attribute struct {
	Value  any
	Expiry time.Time // zero: none
}

// AddDevice adds a device to the tailnet.
func (f *Fake) AddDevice(d Device) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.devices[d.ID] = &device{d, map[string]attribute{}}
}

// Tag has tags own a device.
func (f *Fake) Tag(id string, tags ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.devices[id].Tags = tags
}

// Set sets an attribute of a device, as somebody else does.
func (f *Fake) Set(id, name string, value any, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.devices[id].attributes[name] = attribute{value, until}
}

// Attribute gives the value of an attribute, nil if the device does not have it, and
// its end.
func (f *Fake) Attribute(id, name string) (value any, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.devices[id].at(f.time())[name]
	return a.Value, a.Expiry
}

func (d *device) copy() *device { return &device{d.Device, maps.Clone(d.attributes)} }

// at are the attributes that the device has at a time.
func (d *device) at(now time.Time) map[string]attribute {
	there := maps.Clone(d.attributes)
	maps.DeleteFunc(there, func(_ string, a attribute) bool { return !a.Expiry.IsZero() && !now.Before(a.Expiry) })
	return there
}

func (f *Fake) listDevices(w http.ResponseWriter, _ *http.Request) {
	list := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(f.devices)) {
		d := f.devices[id]
		one := map[string]any{
			"nodeId": d.ID, "id": "1" + d.ID, "name": d.ID + ".tailfe8c.ts.net", "hostname": d.ID, "user": d.User, "authorized": true,
			"isExternal": d.External, "created": "", "expires": "0001-01-01T00:00:00Z", "lastSeen": nil, "connectedToControl": true,
		}
		if len(d.Tags) > 0 {
			one["tags"] = d.Tags
		}
		list = append(list, one)
	}
	answer(w, http.StatusOK, map[string]any{"devices": list})
}

// attributeOf tells the device and the attribute that a path is of.
func attributeOf(path string) (device, name string, ok bool) {
	m := attributePath.FindStringSubmatch(path)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

var (
	attributePath = regexp.MustCompile(`^/api/v2/device/([^/]+)/attributes/([^/]+)$`)
	attributeName = regexp.MustCompile(`^custom:[A-Za-z0-9_]+$`)
)

func (f *Fake) getAttributes(w http.ResponseWriter, r *http.Request) {
	shown := f.devices
	if f.Mood() == strategytest.Stale {
		shown = f.shown
	}
	d := shown[r.PathValue("device")]
	if d == nil {
		refuse(w, http.StatusNotFound, "no such device")
		return
	}
	attributes, expiries := map[string]any{"node:os": "linux", "node:tsVersion": "1.90.1"}, map[string]any{}
	for name, a := range d.at(f.time()) {
		attributes[name] = a.Value
		if !a.Expiry.IsZero() {
			expiries[name] = a.Expiry.Format(time.RFC3339)
		}
	}
	answer(w, http.StatusOK, map[string]any{"attributes": attributes, "expiries": expiries})
}

func (f *Fake) setAttribute(w http.ResponseWriter, r *http.Request) {
	d, name := f.devices[r.PathValue("device")], r.PathValue("name")
	var in struct {
		Value   any       `json:"value"`
		Expiry  time.Time `json:"expiry"`
		Comment string    `json:"comment"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	bad := func(text string) { refuse(w, http.StatusBadRequest, text) }
	switch err := decoder.Decode(&in); {
	case d == nil:
		refuse(w, http.StatusNotFound, "no such device")
	case err != nil:
		bad(err.Error())
	case !attributeName.MatchString(name) || len(name) > 50:
		bad("invalid attribute key")
	case d.External:
		bad("attributes of a device that is shared can't be set")
	case !in.Expiry.IsZero() && !in.Expiry.After(f.time()):
		bad("expiry must be in the future")
	case !f.fits(name, in.Value):
		bad("the value must be of the type that the attribute has on other devices, and its name of the same case")
	default:
		d.attributes[name] = attribute{in.Value, in.Expiry}
		answer(w, http.StatusOK, struct{}{})
	}
}

// fits: an attribute has one type, and one spelling, in the whole tailnet.
func (f *Fake) fits(name string, value any) bool {
	kind := func(v any) string {
		switch v.(type) {
		case bool:
			return "boolean"
		case float64, int:
			return "number"
		case string:
			return "string"
		}
		return ""
	}
	for _, d := range f.devices {
		for other, a := range d.at(f.time()) {
			if strings.EqualFold(other, name) && (other != name || kind(a.Value) != kind(value)) {
				return false
			}
		}
	}
	return kind(value) != ""
}

func (f *Fake) deleteAttribute(w http.ResponseWriter, r *http.Request) {
	d := f.devices[r.PathValue("device")]
	if d == nil {
		refuse(w, http.StatusNotFound, "no such device")
		return
	}
	if _, there := d.at(f.time())[r.PathValue("name")]; !there {
		refuse(w, http.StatusNotFound, "no such attribute")
		return
	}
	delete(d.attributes, r.PathValue("name"))
	answer(w, http.StatusOK, struct{}{})
}

// Until implements strategytest.Expirer.
func (f *Fake) Until(target flow.Target, identity string) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var until time.Time
	for _, d := range f.devices {
		if a := d.at(f.time())[tailscale.Attribute(target)]; d.User == identity && a.Expiry.After(until) {
			until = a.Expiry
		}
	}
	return until
}
