package app

import (
	"path/filepath"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

var testSettings = config.Settings{Org: "sym", LogFormat: "text", Patience: deadline.LastResort}

// apiRequest asks for access to the flow of crashFlows, for alice.
func apiRequest(bot flow.Actor, key string) workflow.APIRequest {
	return workflow.APIRequest{
		Bot: bot, Token: store.Token{ID: "test", Owner: "carol@example.com"}, IdempotencyKey: key, FlowSRN: "sym:flow:prod-access:latest",
		UserEmail: "alice@example.com",
		Inputs: map[string]any{
			"target_srn": "sym:access_target:aws_lambda_function:orders-db:latest", "duration": 600, "reason": "fix an order",
		},
	}
}

func clickOf(runID string, action flow.Action, who store.User) workflow.Click {
	return workflow.Click{RunID: runID, Action: action, Actor: who, Channel: flow.ChannelSlack}
}

func auditFiles(data string) *audit.Files[events.AuditRecord] {
	return &audit.Files[events.AuditRecord]{Dir: filepath.Join(data, "audit")}
}

// adminFiles is the log of what administrators did to a local deployment, for reading.
func adminFiles(data string) *audit.Files[events.AdminRecord] {
	return &audit.Files[events.AdminRecord]{Dir: filepath.Join(data, "admin")}
}
