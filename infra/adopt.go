package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// identifiers are by what CloudFormation finds what it imports, by the type of a
// resource that outlives its stack and is to be found again. (Logs outlive it too;
// a new stack has logs of its own.)
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html
var identifiers = map[string]string{
	"AWS::DynamoDB::Table":        "TableName",
	"AWS::S3::Bucket":             "BucketName",
	"AWS::SecretsManager::Secret": "Id",
	"AWS::KMS::Key":               "KeyId",
}

// kept is a resource that outlives its stack.
type kept struct {
	id, kind string
	output   string // the name of the output that tells its identifier
}

// written is a template as it was synthesized, as far as adopting goes by it.
type written struct {
	Resources map[string]map[string]any
	Outputs   map[string]struct{ Value any }
}

// kept lists what outlives the stack, in the order of its ids. An output tells the
// identifier of each: its Ref, or of a key its ARN.
func (w written) kept() (list []kept) {
	tells := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(w.Outputs)) {
		value, _ := w.Outputs[name].Value.(map[string]any)
		if id, ok := value["Ref"].(string); ok {
			tells[id] = name
		}
		if of, ok := value["Fn::GetAtt"].([]any); ok && of[1] == "Arn" && tells[fmt.Sprint(of[0])] == "" {
			tells[fmt.Sprint(of[0])] = name
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.Resources)) {
		r := w.Resources[id]
		kind, _ := r["Type"].(string)
		if identifiers[kind] != "" && strings.HasPrefix(fmt.Sprint(r["DeletionPolicy"]), "Retain") {
			list = append(list, kept{id, kind, tells[id]})
		}
	}
	return list
}

// importing is the template by which a new stack takes up what an earlier one has
// left: that and nothing else, for CloudFormation imports into a new stack only what
// is there. The deploy after it brings the rest.
func (w written) importing(metadata any) ([]byte, error) {
	resources := map[string]any{}
	for _, k := range w.kept() {
		r := maps.Clone(w.Resources[k.id])
		delete(r, "Metadata")
		delete(r, "DependsOn")
		r["DeletionPolicy"] = "Retain" // also while it is being imported
		resources[k.id] = r
	}
	return json.MarshalIndent(map[string]any{"Resources": resources, "Metadata": map[string]any{metadataKey: metadata}}, "", " ")
}

// toImport tells CloudFormation which resource each of the template's is, by the
// outputs of the stack before.
func (w written) toImport(outputs map[string]string) (list []types.ResourceToImport, err error) {
	var missing []string
	for _, k := range w.kept() {
		value := outputs[k.output]
		if value == "" {
			missing = append(missing, fmt.Sprintf("%s (output %s)", k.id, k.output))
			continue
		}
		if k.kind == "AWS::KMS::Key" {
			value = value[strings.LastIndex(value, "/")+1:]
		}
		list = append(list, types.ResourceToImport{
			LogicalResourceId: aws.String(k.id), ResourceType: aws.String(k.kind), ResourceIdentifier: map[string]string{identifiers[k.kind]: value},
		})
	}
	if missing != nil {
		return nil, fmt.Errorf("the kept outputs do not say which these are: %s. Add them to the file as the stack before had them: their names begin with its name, or are in the console of the service", strings.Join(missing, ", "))
	}
	return list, nil
}

// readOutputs reads what make deploy has written of a stack. It returns nil if there
// is no such file, or nothing of that stack.
func readOutputs(file, stack string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var stacks map[string]map[string]string
	if err == nil {
		err = json.Unmarshal(b, &stacks)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return stacks[stack], nil
}

func writeOutputs(file, stack string, outputs map[string]string) error {
	b, err := json.MarshalIndent(map[string]map[string]string{stack: outputs}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// importFor is how long CloudFormation is waited for.
const importFor = 30 * time.Minute

// adopt makes a stack of what one that was deleted has left: table, buckets, secrets
// and key. What they hold stays as it is.
func adopt(ctx context.Context, d *deploy, out io.Writer) error {
	if d.deployed != nil {
		return fmt.Errorf("the stack %s is there: only one that was deleted leaves something to adopt", d.stack)
	}
	outputs, err := readOutputs(d.outputs, d.stack)
	if err == nil && outputs == nil {
		err = fmt.Errorf("%s has no outputs of a stack %s: it is what make deploy has written, to be kept with the configuration", d.outputs, d.stack)
	}
	if err != nil {
		return err
	}
	resources, err := d.written.toImport(outputs)
	if err != nil {
		return err
	}
	body, err := d.written.importing(map[string]any{"Options": d.planned.Options, "Kept": d.planned.Kept})
	if err != nil {
		return err
	}
	for _, r := range resources {
		fmt.Fprintf(out, "%s: %s\n", *r.LogicalResourceId, r.ResourceIdentifier[identifiers[*r.ResourceType]])
	}
	name := aws.String("adopt-" + d.now().UTC().Format("20060102T150405Z"))
	in := &cloudformation.CreateChangeSetInput{
		StackName: &d.stack, ChangeSetName: name, ChangeSetType: types.ChangeSetTypeImport,
		TemplateBody: aws.String(string(body)), ResourcesToImport: resources,
	}
	if _, err := d.formation.CreateChangeSet(ctx, in); err != nil {
		return fmt.Errorf("ask for the import: %w", err)
	}
	set := &cloudformation.DescribeChangeSetInput{StackName: &d.stack, ChangeSetName: name}
	made := cloudformation.NewChangeSetCreateCompleteWaiter(d.formation, func(o *cloudformation.ChangeSetCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = d.pause, 5*d.pause
	})
	if err := made.Wait(ctx, set, importFor); err != nil {
		why := ""
		if told, asked := d.formation.DescribeChangeSet(ctx, set); asked == nil {
			why = aws.ToString(told.StatusReason)
		}
		return fmt.Errorf("the import can't be done: %s: %w", why, err)
	}
	if _, err := d.formation.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: &d.stack, ChangeSetName: name}); err != nil {
		return fmt.Errorf("begin the import: %w", err)
	}
	done := cloudformation.NewStackImportCompleteWaiter(d.formation, func(o *cloudformation.StackImportCompleteWaiterOptions) { o.MinDelay, o.MaxDelay = d.pause, 5*d.pause })
	if err := done.Wait(ctx, &cloudformation.DescribeStacksInput{StackName: &d.stack}, importFor); err != nil {
		return fmt.Errorf("the import of %s was not completed; the events of the stack say why, and what it was to take up is as it was: %w", d.stack, err)
	}
	fmt.Fprintf(out, "%d adopted by the new stack %s. Now make deploy brings all that works on them.\n", len(resources), d.stack)
	return nil
}

// checkKept finds what would be lost sight of: what the stack has and the new template
// has no more, or what a stack that is gone has left, of which a first deploy would
// make new and empty ones.
func (d *deploy) checkKept() []string {
	if d.deployed == nil {
		outputs, err := readOutputs(d.outputs, d.stack)
		if err != nil {
			return []string{err.Error() + "\n"}
		}
		if outputs["TableName"] == "" || d.dropped {
			return nil
		}
		return []string{fmt.Sprintf("Its stack is gone, and has left what %s tells of, such as the table %s. This deploy would begin with an empty table, of which live access is not known: make adopt takes up what is there. To begin anew all the same: make deploy DROPPED=1.\n", d.outputs, outputs["TableName"])}
	}
	if d.deployed.plan == nil || d.dropped {
		return nil
	}
	var gone []string
	for _, id := range d.deployed.plan.Kept {
		if !slices.Contains(d.planned.Kept, id) {
			gone = append(gone, "  "+id)
		}
	}
	if gone == nil {
		return nil
	}
	return []string{fmt.Sprintf("It has what this deploy would drop from the stack, and make anew if it is needed:\n%s\nThey would stay, and nothing would know them any more. Give the options that it was deployed with, or, if they are to go: make deploy DROPPED=1.\n", strings.Join(gone, "\n"))}
}
