package slackapp

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/pattern"
)

// Slack's limits, in characters or items, as its reference states them at
// docs.slack.dev/reference/block-kit (blocks, block-elements and
// composition-objects) and docs.slack.dev/reference/views/modal-views. One
// character or item more, and Slack refuses the whole message or form.
const (
	maxText          = 3000 // text object
	maxField         = 2000 // text object in a section's fields
	maxFields        = 10   // fields of a section
	maxHeader        = 150  // header block
	maxLabel         = 2000 // label and hint of an input block
	maxPlaceholder   = 150
	maxOptions       = 100 // options of a select, and of one answer to a search
	maxOptionText    = 75
	maxOptionValue   = 150
	maxID            = 255 // block_id, action_id, callback_id
	maxTitle         = 24  // title and buttons of a view
	maxViewBlocks    = 100
	maxMessageBlocks = 50
	maxInput         = 3000 // initial_value and max_length of a text input
)

// maxBlocksJSON bounds a message's blocks. Slack refuses messages whose blocks
// are longer than about 13,200 characters together (msg_blocks_too_long); the
// figure is not documented, but measured by users (slackapi/bolt-js #2509).
const maxBlocksJSON = 11000

// maxSocketAnswer bounds the answer to an envelope of Socket Mode: Slack drops
// answers of 20 KB and more without a word (slack-go's socketmode.Send).
const maxSocketAnswer = 19 << 10

// plain makes text that Slack shows as it is: no mention, no link, no
// formatting and no emoji code comes to life in it. It is for all that users
// wrote.
func plain(s string, most int) *slack.TextBlockObject {
	if s = visible(s); strings.TrimSpace(s) == "" {
		s = nothing
	}
	return slack.NewTextBlockObject(slack.PlainTextType, fit(s, most), false, false)
}

// nothing stands where there would be no text: Slack refuses empty ones.
const nothing = "–"

// mrkdwn makes formatted text from our own words, and from parts that went
// through escape, safe or mention. Verbatim keeps Slack from finding links and
// mentions in it by itself.
func mrkdwn(s string, most int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, fit(s, most), false, true)
}

// section is a block of formatted text.
func section(s string) slack.Block {
	return slack.NewSectionBlock(mrkdwn(s, maxText), nil, nil)
}

// fit shortens a text to at most n characters, for a limit of Slack's. It does not
// cut a reference such as <@U024BE7LH> in two.
func fit(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	cut := string([]rune(s)[:n-1])
	if open := strings.LastIndexByte(cut, '<'); open > strings.LastIndexByte(cut, '>') {
		cut = cut[:open]
	}
	return cut + "…"
}

// unseen are characters that nobody sees, or that turn the direction of what
// follows. Between others they split what would be looked for, and clients may
// drop them. functions/sdk/sym/sdk/integrations/slack.py has the same ones.
var unseen = [][2]rune{
	{0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180e, 0x180e}, {0x200b, 0x200b}, {0x200e, 0x200f}, {0x202a, 0x202e},
	{0x2060, 0x206f}, {0x3164, 0x3164}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
}

// visible drops what can't be seen, but for line breaks and tabs, and for joiners
// where they belong: in words of other scripts, and in emoji.
func visible(s string) string {
	last := rune(0)
	return strings.Map(func(r rune) rune {
		joiner := r == '\u200c' || r == '\u200d'
		switch {
		case r == '\n' || r == '\t':
		case r == utf8.RuneError || unicode.Is(unicode.Cc, r) || joiner && last <= unicode.MaxASCII,
			slices.ContainsFunc(unseen, func(span [2]rune) bool { return span[0] <= r && r <= span[1] }):
			return -1
		}
		last = r
		return r
	}, s)
}

// escaper neutralises what means something in Slack's markup
// (docs.slack.dev/messaging/formatting-message-text). The word joiner after
// "@" and inside "://" is for the fallback text of messages, in which clients
// may look for mentions and links by themselves.
var escaper = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
	"*", "∗", "`", "ˋ", "~", "∼",
	"@", "@\u2060", "://", ":\u2060//", "\n", " ", "\t", " ",
)

// upright replaces each underscore that could begin or end italics. Those inside
// of a word, as in snake_case, don't.
func upright(s string) string {
	word := func(i int) bool {
		return i >= 0 && i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 'a' && s[i] <= 'z')
	}
	var out strings.Builder
	for i, r := range s {
		if r == '_' && !(word(i-1) && word(i+1)) {
			r = 'ˍ'
		}
		out.WriteRune(r)
	}
	return out.String()
}

// maxInline is how long a name may be within a sentence.
const maxInline = 150

// escape makes text from outside fit for formatted text.
func escape(s string) string {
	s = escaper.Replace(upright(strings.TrimSpace(visible(s))))
	if strings.HasPrefix(s, "&gt;") {
		s = "\u2060" + s // else it would make a quotation of a line that it begins
	}
	return s
}

// safe makes a short text from outside fit to stand in a sentence of ours.
func safe(s string) string {
	if s = escape(fit(s, maxInline)); s == "" {
		return nothing
	}
	return s
}

// Slack's ids of people and of channels. Only what has this form is ever put
// between the brackets of a reference.
var (
	slackIDPattern   = pattern.Of(`^[UW][A-Z0-9]{2,20}$`)
	channelIDPattern = pattern.Of(`^[CDG][A-Z0-9]{5,20}$`)
)

// cost is how many characters a text takes once it is JSON.
func cost(s string) int {
	b, _ := json.Marshal(s) // a string can't fail
	return utf8.RuneCount(b)
}

// sentence starts a message with a capital letter and ends it with a full stop.
func sentence(s string) string {
	r := []rune(strings.TrimSpace(s))
	if len(r) == 0 {
		return ""
	}
	r[0] = unicode.ToUpper(r[0])
	if !strings.ContainsRune(".!?…", r[len(r)-1]) {
		r = append(r, '.')
	}
	return string(r)
}
