package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/slackapp"
)

// manifest prints what makes the Slack app of a deployment.
func manifest(args []string, out io.Writer) error {
	set := flags("local slack-manifest", out)
	url := set.String("url", "", "URL that Slack reaches the deployment at (default: that of -outputs)")
	outputs := set.String("outputs", "cdk.out/outputs.json", "what make deploy has written")
	socket := set.Bool("socket", false, "for Socket Mode, which needs no URL")
	steps := set.Bool("steps", false, "with the steps of Workflow Builder, which Slack has in paid workspaces")
	links := set.Bool("links", false, "with previews of links to requests, which Slack calls Work Objects")
	command := set.String("command", "", "slash command of the app, such as /access (default: output SlackCommand in -outputs, or "+slackapp.OwnCommand+")")
	asJSON := set.Bool("json", false, "as JSON, which Slack's API takes (apps.manifest.create); without the reasons for the scopes")
	if err := parse(set, args); err != nil {
		return err
	}
	if *url == "" && !*socket {
		var err error
		if *url, err = output(*outputs, "ApiUrl"); err != nil {
			return fmt.Errorf("%w; or give -url, or -socket", err)
		}
	}
	if *command == "" && !*socket {
		*command, _ = output(*outputs, "SlackCommand") // which a deployment with another one has
	}
	if *command != "" && !slackapp.Commands.MatchString(*command) {
		return fmt.Errorf("%q is no slash command: write one such as /access, with up to 31 small letters, digits, - and _", *command)
	}
	if *links && *url == "" {
		return errors.New("previews of links need an address that links can lead to: give -url, or leave out -links")
	}
	made := slackapp.NewManifest(slackapp.ManifestOptions{URL: *url, Steps: *steps, Links: *links, Command: *command})
	if *asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(made)
	}
	text, err := manifestText(made)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

// manifestText writes a manifest as YAML, which tells what each scope is for.
func manifestText(m slackapp.Manifest) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil { // JSON is YAML, and keeps the order
		return nil, err
	}
	reasons := map[string]string{}
	for _, s := range append(slackapp.Scopes(), slackapp.LinkScopes()...) {
		reasons[s.Name] = s.For
	}
	write(&doc, reasons)
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err = encoder.Encode(&doc)
	return text.Bytes(), err
}

// write gives a node, and what is in it, the style that people write, with remarks
// on some of its values.
func write(n *yaml.Node, remarks map[string]string) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && remarks[n.Value] != "" {
		n.LineComment = "# " + remarks[n.Value]
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			child.Style = 0
			continue
		}
		write(child, remarks)
	}
}

// output finds an output of the one stack in a file that cdk deploy has written.
func output(file, name string) (string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("there is no %s: run make deploy, which writes it", file)
	}
	var stacks map[string]map[string]string
	if err == nil {
		err = json.Unmarshal(b, &stacks)
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	var found []string
	for _, outputs := range stacks {
		if outputs[name] != "" {
			found = append(found, outputs[name])
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%s has %d outputs named %s, not one", file, len(found), name)
	}
	return found[0], nil
}
