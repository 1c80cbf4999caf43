package guard

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

//go:embed diff.mjs
var library string

// Compare lets the CDK's diff library compare each stack of base with that of head. root is
// where node_modules is.
func Compare(ctx context.Context, root string, base, head map[string]Stack) ([]Difference, error) {
	type pair struct {
		Name  string            `json:"name"`
		Base  map[string]any    `json:"base"`
		Head  map[string]any    `json:"head"`
		Paths map[string]string `json:"paths"`
	}
	var pairs []pair
	for _, name := range names(base, head) {
		p := pair{name, base[name].Template, head[name].Template, map[string]string{}}
		for _, template := range []*map[string]any{&p.Base, &p.Head} {
			if *template == nil {
				*template = map[string]any{}
			}
		}
		for _, stack := range []Stack{base[name], head[name]} {
			for id, path := range stack.Paths {
				p.Paths[id] = path
			}
		}
		pairs = append(pairs, p)
	}
	in, err := json.Marshal(pairs)
	if err != nil {
		return nil, fmt.Errorf("encoding the templates: %w", err)
	}
	var out, trouble bytes.Buffer
	node := exec.Command("node", "--input-type=module", "--eval", library)
	node.Dir = root
	node.Env = append(node.Environ(), "NO_COLOR=1", "FORCE_COLOR=0")
	node.Stdin, node.Stdout, node.Stderr = bytes.NewReader(in), &out, &trouble
	if err := process.Run(ctx, node); err != nil {
		return nil, fmt.Errorf("comparing the templates: %w\n%s", err, trouble.String())
	}
	var differences []Difference
	if err := json.Unmarshal(out.Bytes(), &differences); err != nil {
		return nil, fmt.Errorf("comparing the templates: %w", err)
	}
	return differences, nil
}
