package terminal

import (
	"context"
	"net/url"
	"time"

	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/mcp"
)

// longestWait is how long one call of the tool wait takes at most: less than what programs
// that call tools have patience for.
const longestWait = 50 * time.Second

// mcp serves the tools of an agent on standard input and output, until that ends.
func (c Command) mcp(ctx context.Context, args []string) error {
	set, connection := c.flags("mcp", "")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	api, err := c.connect(connection)
	if err != nil {
		return err
	}
	// To an agent runs are its own; others have to say whose they mean.
	if _, err := api.Runs(ctx, url.Values{"limit": {"1"}}); client.CodeOf(err) == "Request:INVALID" {
		return wrong("this token is no agent's: make one with local token create -agent NAME -owner EMAIL")
	} else if err != nil {
		return err
	}
	return mcp.Serve(ctx, api, longestWait, c.In, c.Out)
}
