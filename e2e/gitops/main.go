// What Argo CD and Flux make of an object: health checks and actions of examples/argocd, run by the interpreter that Argo CD
// runs them by, and the rules of Flux's kustomize-controller.
//
//	gitops configmap    prints the files of examples/argocd as the ConfigMap that Argo CD reads
//	gitops judge        reads an object as JSON, and prints what both make of it
//	gitops act ACTION   reads an object as JSON, and prints the patch that Argo CD sends when somebody clicks ACTION
//	gitops plain        reads manifests, and prints them without comments and folded texts, into which Kustomize puts empty lines
//
// Run in the repository's top folder.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"rollcall.dev/e2e/gitops/argo"
	"rollcall.dev/e2e/gitops/flux"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 1 && arguments[0] == "plain" {
		return plain()
	}
	scripts, err := argo.Load("examples/argocd")
	if err != nil {
		return err
	}
	switch {
	case len(arguments) == 1 && arguments[0] == "configmap":
		text, err := scripts.ConfigMap()
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	case len(arguments) == 1 && arguments[0] == "judge":
		return judge(scripts)
	case len(arguments) == 2 && arguments[0] == "act":
		_, object, err := given()
		if err != nil {
			return err
		}
		patch, err := scripts.Act(object, arguments[1])
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(patch)
		return err
	}
	return fmt.Errorf("say configmap, judge, act ACTION or plain")
}

// given is the object on the standard input.
func given() ([]byte, map[string]any, error) {
	text, err := io.ReadAll(os.Stdin)
	object := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &object)
	}
	return text, object, err
}

func judge(scripts argo.Scripts) error {
	text, object, err := given()
	if err != nil {
		return err
	}
	health, err := scripts.Health(object)
	if err != nil {
		return err
	}
	actions, err := scripts.Actions(object)
	if err != nil {
		return err
	}
	checks, err := flux.Documented("docs/gitops.md")
	if err != nil {
		return err
	}
	waits, err := checks.Status(text)
	if err != nil {
		return err
	}
	plain, err := flux.Plain(text)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"argo": health, "actions": actions, "flux": waits, "kstatus": plain})
}

func plain() error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	for _, document := range strings.Split("\n"+string(text), "\n---\n") {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return err
		}
		if len(object) == 0 {
			continue
		}
		written, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		fmt.Printf("---\n%s", written)
	}
	return nil
}
