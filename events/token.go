package events

import "time"

// CreateTokenInput is the body of POST /tokens, which takes AWS credentials.
type CreateTokenInput struct {
	Bot     string `json:"bot"` // name of the bot that the token stands for
	Label   string `json:"label,omitempty"`
	Expires string `json:"expires"` // how long it is valid: a number and s, m, h, d or mo
	// Owner is the e-mail address of the person who answers for the token, and
	// who counts as the requester of what is asked for with it.
	Owner string `json:"owner"`
	// Flows are the names of those that it may start; nil: all.
	Flows []string `json:"flows,omitzero"`
	// People are the e-mail addresses of those whom it may ask for; nil:
	// everybody, empty: the bot itself only.
	People []string `json:"people,omitzero"`
	// Drift lets it see where targets differ from what was granted.
	Drift bool `json:"drift,omitempty"`
	// Config lets it read and change the configuration.
	Config bool `json:"config,omitempty"`
	// Agent makes it the token of an agent, whose name is Bot, and who asks for its owner
	// only: AnHour times in any hour, with AtOnce requests open or live. 0: as is usual.
	Agent  bool `json:"agent,omitempty"`
	AnHour int  `json:"an_hour,omitempty"`
	AtOnce int  `json:"at_once,omitempty"`
}

// SetTokenOwnerInput is the body of PUT /tokens/{id}.
type SetTokenOwnerInput struct {
	Owner string `json:"owner"` // e-mail address
}

// CreatedToken is the answer of POST /tokens. The value is never shown again.
type CreatedToken struct {
	Value string `json:"value"`
	Token
}

// TokenList is the answer of GET /tokens.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

// Token describes a token of the Events API. The answer of DELETE /tokens/{id}
// has the id alone.
type Token struct {
	ID      string     `json:"id"`
	Bot     string     `json:"bot,omitempty"`
	Label   string     `json:"label,omitempty"`
	Owner   string     `json:"owner,omitempty"`  // e-mail address; "" for those made before there were owners
	Flows   []string   `json:"flows,omitzero"`   // nil: all
	People  []string   `json:"people,omitzero"`  // nil: everybody
	Drift   bool       `json:"drift,omitempty"`  // may see where targets differ from what was granted
	Config  bool       `json:"config,omitempty"` // may read and change the configuration
	Agent   bool       `json:"agent,omitempty"`  // an agent's, who asks for its owner only
	AnHour  int        `json:"an_hour,omitempty"`
	AtOnce  int        `json:"at_once,omitempty"`
	Created *time.Time `json:"created,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	// RevokedBy and RevokedAt say who ended it before its time, and when. It is
	// listed for some weeks after that.
	RevokedBy string     `json:"revoked_by,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}
