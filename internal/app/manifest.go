package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/symflows/symflows/internal/slackapp"
)

// manifest prints what makes the Slack app of a deployment.
func manifest(args []string, out io.Writer) error {
	set := flags("local slack-manifest", out)
	url := set.String("url", "", "URL that Slack reaches the deployment at (default: that of -outputs)")
	outputs := set.String("outputs", "cdk.out/outputs.json", "what make deploy has written")
	socket := set.Bool("socket", false, "for Socket Mode, which needs no URL")
	if err := parse(set, args); err != nil {
		return err
	}
	if *url == "" && !*socket {
		var err error
		if *url, err = output(*outputs, "ApiUrl"); err != nil {
			return fmt.Errorf("%w; or give -url, or -socket", err)
		}
	}
	_, err := io.WriteString(out, slackapp.Manifest(*url))
	return err
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
