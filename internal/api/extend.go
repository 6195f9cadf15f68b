package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// extend is POST /runs/{id}/extend, the Extend button for programs. Repeating it gives
// the same event until that is decided, and with the same Idempotency-Key for good.
func (a *API) extend(r *http.Request, who caller) (any, error) {
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.ExtendInput{Duration: body.seconds("duration"), Reason: body.text("reason")}
	if err := body.err(); err != nil {
		return nil, err
	}
	if key != "" {
		sum := sha256.Sum256([]byte(who.bot.ID + " " + key))
		key = hex.EncodeToString(sum[:16])
	}
	run, eventID, err := a.Submit.ExtendByAPI(r.Context(), workflow.MoreTime{
		RunID: strings.ToLower(r.PathValue("id")), By: time.Duration(in.Duration) * time.Second, Reason: in.Reason,
		Actor: store.User{Actor: who.bot, Role: store.RoleBot}, Channel: flow.ChannelAPI, Key: key,
	}, who.token)
	if err != nil {
		return nil, err
	}
	return events.ExtendOutput{RunID: run.ID, EventID: eventID, RequestBody: in}, nil
}
