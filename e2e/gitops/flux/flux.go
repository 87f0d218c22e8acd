// Package flux says of an object what Flux's kustomize-controller would: with the expressions of a Kustomization, and by
// kstatus alone.
package flux

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Checks are those of a Kustomization, by kind.
type Checks map[string]*cel.StatusEvaluator

// Documented reads the Kustomization with healthCheckExprs that a page shows.
func Documented(page string) (Checks, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	for _, rest := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ := strings.Cut(rest, "```")
		if !strings.Contains(block, "healthCheckExprs") {
			continue
		}
		kustomization := struct {
			Spec struct {
				Wait             bool                          `json:"wait"`
				HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
			} `json:"spec"`
		}{}
		if err := yaml.Unmarshal([]byte(block), &kustomization); err != nil {
			return nil, err
		}
		if !kustomization.Spec.Wait {
			return nil, fmt.Errorf("%s: the Kustomization does not wait", page)
		}
		checks := Checks{}
		for _, check := range kustomization.Spec.HealthCheckExprs {
			evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", page, check.Kind, err)
			}
			checks[check.Kind] = evaluator
		}
		return checks, nil
	}
	return nil, fmt.Errorf("%s shows no Kustomization with healthCheckExprs", page)
}

// Status is what the Kustomization makes of an object in JSON; of a kind it has no expression for, what kstatus makes of it.
func (checks Checks) Status(object []byte) (string, error) {
	parsed := &unstructured.Unstructured{}
	if err := parsed.UnmarshalJSON(object); err != nil {
		return "", err
	}
	check, known := checks[parsed.GetKind()]
	if !known {
		return Plain(object)
	}
	result, err := check.Evaluate(context.Background(), parsed)
	if err != nil {
		// Nothing was said of it yet: Flux calls that unknown, and looks again.
		return status.UnknownStatus.String(), nil
	}
	return result.Status.String(), nil
}

// Plain is what a Kustomization without expressions makes of an object in JSON.
func Plain(object []byte) (string, error) {
	parsed := &unstructured.Unstructured{}
	if err := parsed.UnmarshalJSON(object); err != nil {
		return "", err
	}
	result, err := status.Compute(parsed)
	if err != nil {
		return "", err
	}
	return result.Status.String(), nil
}
