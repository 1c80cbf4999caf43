package cfn

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Object is a JSON object of a template.
type Object = map[string]any

// Read returns the templates of the environment in folder by their stacks: golden ones,
// ENVIRONMENT-STACK.template.json, or what the CDK CLI synthesized, Millrace-ENVIRONMENT-STACK.template.json.
func Read(folder, environment string) (map[string][]byte, error) {
	const suffix = ".template.json"
	var paths []string
	var prefix string
	for _, prefix = range []string{environment + "-", "Millrace-" + environment + "-"} {
		found, err := filepath.Glob(filepath.Join(folder, prefix+"*"+suffix))
		if err != nil {
			return nil, fmt.Errorf("finding the templates of %s: %w", environment, err)
		}
		if paths = found; len(paths) > 0 {
			break
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("finding the templates of %s: %s has none", environment, folder)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a template: %w", err)
		}
		all[strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), prefix), suffix)] = text
	}
	return all, nil
}

// Resources are those of all templates that [Read] returns, by STACK/ID.
func Resources(folder, environment string) (map[string]Object, error) {
	templates, err := Read(folder, environment)
	if err != nil {
		return nil, err
	}
	all := map[string]Object{}
	for stack, text := range templates {
		var template struct{ Resources map[string]Object }
		if err := json.Unmarshal(text, &template); err != nil {
			return nil, fmt.Errorf("reading %s of %s: %w", stack, environment, err)
		}
		for id, resource := range template.Resources {
			all[stack+"/"+id] = resource
		}
	}
	return all, nil
}

// At follows path through objects, nil where it ends.
func At(value any, path ...string) any {
	for _, key := range path {
		of, _ := value.(Object)
		value = of[key]
	}
	return value
}

// List is value if it is one, else none.
func List(value any) []any { l, _ := value.([]any); return l }

// Number is value as a number, in whichever form CloudFormation has it; 0 if it is none.
func Number(value any) float64 {
	switch v := value.(type) {
	case float64:
		return v
	case string:
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return n
		}
	}
	return 0
}
