package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	roundTrip[events.CreateTokenInput](t, "token_input")
	roundTrip[events.CreatedToken](t, "token_created")
	roundTrip[events.TokenList](t, "token_list")
}

func ExampleCreatedToken() {
	const answer = `{"value": "symflows_EXAMPLE", "id": "3f0a9c1b2d4e", "bot": "ci", "expires": "2026-05-31T09:00:00Z"}`
	var token events.CreatedToken
	if err := json.Unmarshal([]byte(answer), &token); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Bot, "until", token.Expires.Format("2006-01-02"))
	// Output: ci until 2026-05-31
}
