// Package schedule ends access on time by EventBridge Scheduler. Its counterpart on
// this machine is runner/local.Schedule.
//
// Each run with access has one schedule of its own, named by its id, in a group
// that holds nothing else. It fires once and is then deleted by Scheduler.
//
// Scheduler is precise to a minute: what is scheduled for 10:00 fires between
// 10:00:00 and 10:00:59
// (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
// Times are therefore rounded down to the minute: a schedule fires up to a
// minute before the end, and then the function has itself called again at the exact
// end, or less than a minute after it, which the promise of 90 seconds allows for.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/symflows/symflows/internal/workflow"
)

// EventBridge keeps schedules in EventBridge Scheduler.
type EventBridge struct {
	API           *scheduler.Client // required
	Group         string            // required: name of the schedule group
	FunctionARN   string            // required: what a schedule invokes, with a workflow.DeescalateInput
	RoleARN       string            // required: the role that may invoke it and write to the queue
	DeadLetterARN string            // required: the queue for what could not be invoked
	Now           func() time.Time  // required
}

var _ workflow.Schedule = EventBridge{}

// Scheduler's own maxima: an invocation that fails is repeated for a day. The
// sweep does not wait for that.
const (
	maxEventAge = 24 * time.Hour
	maxRetries  = 185
)

// margin bounds how long a call may take with its repetitions, so that the time it
// asks for has not passed when it arrives.
const margin = 15 * time.Second

// tries bounds how often Set follows a schedule that comes and goes.
const tries = 3

// Set makes or moves the schedule of a run. A time that has passed, or is about
// to, becomes the next whole minute: AWS does not document what becomes of
// one-time schedules for the past, so Set never asks for one.
//
// An error may be tried again.
func (s EventBridge) Set(ctx context.Context, runID string, at time.Time) error {
	input, err := json.Marshal(workflow.DeescalateInput{Run: runID})
	if err != nil {
		return err
	}
	expression := aws.String("at(" + s.minute(at).Format("2006-01-02T15:04:05") + ")")
	window := &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}
	target := &types.Target{
		Arn: aws.String(s.FunctionARN), RoleArn: aws.String(s.RoleARN), Input: aws.String(string(input)),
		DeadLetterConfig: &types.DeadLetterConfig{Arn: aws.String(s.DeadLetterARN)},
		RetryPolicy: &types.RetryPolicy{
			MaximumEventAgeInSeconds: aws.Int32(int32(maxEventAge / time.Second)), MaximumRetryAttempts: aws.Int32(maxRetries),
		},
	}
	// The schedule may exist or not, and may fire between two calls.
	for range tries {
		_, err = s.API.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
			Name: aws.String(runID), GroupName: aws.String(s.Group), ScheduleExpression: expression, ScheduleExpressionTimezone: aws.String("UTC"),
			FlexibleTimeWindow: window, Target: target, ActionAfterCompletion: types.ActionAfterCompletionDelete,
		})
		if !is[*types.ConflictException](err) {
			break
		}
		_, err = s.API.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{ // replaces all of it
			Name: aws.String(runID), GroupName: aws.String(s.Group), ScheduleExpression: expression, ScheduleExpressionTimezone: aws.String("UTC"),
			FlexibleTimeWindow: window, Target: target, ActionAfterCompletion: types.ActionAfterCompletionDelete,
		})
		if !is[*types.ConflictException](err) && !is[*types.ResourceNotFoundException](err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("schedule the end of run %s: %w", runID, err)
	}
	return nil
}

// minute gives the minute at which the schedule of an end fires.
func (s EventBridge) minute(end time.Time) time.Time {
	at := end.UTC().Truncate(time.Minute)
	soonest := s.Now().UTC().Add(margin).Truncate(time.Minute).Add(time.Minute)
	if at.Before(soonest) {
		return soonest
	}
	return at
}

// Delete removes the schedule of a run. It returns nil if there is none: it has
// fired, and Scheduler has deleted it.
func (s EventBridge) Delete(ctx context.Context, runID string) error {
	_, err := s.API.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: aws.String(runID), GroupName: aws.String(s.Group)})
	if err != nil && !is[*types.ResourceNotFoundException](err) {
		return fmt.Errorf("delete the schedule of run %s: %w", runID, err)
	}
	return nil
}

// is tells whether an error is of a type.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
