package slacksim

import (
	"encoding/json"
	"testing"
)

func TestRenderText(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	md := func(s string) string {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return `{"type":"mrkdwn","text":` + string(raw) + `}`
	}
	for name, c := range map[string]struct{ message, want string }{
		"Text":       {`{"user":"U0SYM","text":"one\ntwo"}`, "Sym: one\n  two\n"},
		"Person":     {`{"user":"U0BOB","text":"hi"}`, "Bob: hi\n"},
		"Mentions":   {`{"text":"<@U0BOB> <#C0DEPLOYS|x> <!subteam^S0PLATFORM> <!channel>"}`, ": @Bob #deploys @platform @channel (notifies everyone)\n"},
		"Typed":      {`{"text":"&lt;@U0BOB&gt; &lt;!channel&gt; &amp;lt;"}`, ": <@U0BOB> <!channel> &lt;\n"},
		"Links":      {`{"text":"<https://example.com/?a=1&amp;b=2|docs> <https://example.com>"}`, ": docs <https://example.com/?a=1&b=2> <https://example.com>\n"},
		"Dates":      {`{"text":"<!date^1767225600^{date} at {time}|new year>"}`, ": 2026-01-01T00:00:00Z\n"},
		"TextHidden": {`{"text":"fallback","blocks":[{"type":"divider"}]}`, ":\n  ---\n"},
		"Section": {`{"blocks":[{"type":"section","text":` + md("*Hi*") + `,"fields":[` + md("*A*\n1") + `,` + md("B") + `],"accessory":` + button("x", "Go", "") + `}]}`,
			":\n  *Hi* | *A* 1 | B [Go]\n"},
		"Context": {`{"blocks":[{"type":"context","elements":[` + md("a") + `,{"type":"image","image_url":"https://example.com/x.png","alt_text":"face"}]}]}`, ":\n  (a · (image: face))\n"},
		"Input":   {`{"blocks":[` + input("why", menuOf("static_select", "", "A", "B"), `,"optional":true,"hint":`+plainJSON("think")) + `]}`, ":\n  Why (optional): …\n    one of: A, B\n    (think)\n"},
		"Plain":   {`{"blocks":[{"type":"header","text":` + plainJSON("<@U0BOB> &amp;") + `}]}`, ":\n  # <@U0BOB> &amp;\n"},
		"Attachment": {`{"text":"t","attachments":[{"color":"#ff0000","text":"bar","blocks":[{"type":"divider"}]}]}`,
			": t\n  | bar\n  | ---\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m Message
			if err := json.Unmarshal([]byte(c.message), &m); err != nil {
				t.Fatal(err)
			}
			if got := a.sim.RenderText(m); got != c.want {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}
