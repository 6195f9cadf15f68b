package events

import "time"

// CreateTokenInput is the body of POST /tokens, which takes AWS credentials.
type CreateTokenInput struct {
	Bot     string `json:"bot"` // name of the bot that the token stands for
	Label   string `json:"label,omitempty"`
	Expires string `json:"expires"` // how long it is valid: a number and s, m, h, d or mo
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
	Created *time.Time `json:"created,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}
