package guard

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// synthProgram is the package that synthesizes environments. A revision that is older than
// it gets it from the working tree.
const synthProgram = "stacks/synth"

// Side is one side of a comparison.
type Side struct {
	// Name is what it was given as, Commit the commit that this is, "" of an assembly.
	Name, Commit string
	Stacks       map[string]Stack
	// Migrations are the SQL files that the migrator has inside, nil of an assembly: it does not show them.
	Migrations map[string]string
}

// Open reads the cloud assembly at name, or synthesizes the environments of the git revision name.
func Open(ctx context.Context, root, name string, environments []string) (Side, error) {
	if IsAssembly(name) {
		stacks, err := Load(name)
		return Side{Name: name, Stacks: stacks}, err
	}
	commit, err := Git(ctx, root, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return Side{}, fmt.Errorf("%q is neither the folder of a cloud assembly nor a revision of git", name)
	}
	side := Side{Name: name, Commit: strings.TrimSpace(commit)}
	return side, side.synthesize(ctx, root, environments)
}

// synthesize fills in the stacks and migrations of the commit, which it checks out into a
// temporary folder.
func (s *Side) synthesize(ctx context.Context, root string, environments []string) (err error) {
	folder, err := os.MkdirTemp("", "millrace-guard")
	if err != nil {
		return fmt.Errorf("making a folder to check %s out into: %w", s.Name, err)
	}
	tree := filepath.Join(folder, "tree")
	defer func() {
		// Also after Ctrl-C: git would keep the tree in its list.
		_, removing := Git(context.WithoutCancel(ctx), root, "worktree", "remove", "--force", tree)
		err = errors.Join(err, removing, os.RemoveAll(folder))
	}()
	if _, err := Git(ctx, root, "worktree", "add", "--quiet", "--detach", tree, s.Commit); err != nil {
		return err
	}
	if s.Migrations, err = readMigrations(tree); err != nil {
		return err
	}
	if err := provide(root, tree); err != nil {
		return err
	}
	program := filepath.Join(folder, "synth")
	if err := run(ctx, tree, nil, "go", "build", "-ldflags=-s -w", "-o", program, "./"+synthProgram); err != nil {
		return fmt.Errorf("building %s of %s: %w", synthProgram, s.Name, err)
	}
	settings, err := contextOf(tree)
	if err != nil {
		return err
	}
	out := filepath.Join(folder, "out")
	if err := run(ctx, tree, []string{"CDK_CONTEXT_JSON=" + settings, noValidation}, program, append([]string{out}, environments...)...); err != nil {
		return fmt.Errorf("synthesizing %s: %w", s.Name, err)
	}
	s.Stacks = map[string]Stack{}
	for _, environment := range environments {
		stacks, err := Load(filepath.Join(out, environment))
		if err != nil {
			return err
		}
		maps.Copy(s.Stacks, stacks)
	}
	return nil
}

// noValidation leaves CDK's rules over the templates out: `make synth` has them, and they take most of a synth's time.
const noValidation = "CDK_VALIDATION=false"

// migrationsFolder is where the migrator's own migrations are.
const migrationsFolder = "lambdas/migrator/migrations"

func readMigrations(tree string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(tree, migrationsFolder, "*.sql"))
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a migration: %w", err)
		}
		all[filepath.Base(file)] = string(text)
	}
	return all, nil
}

// provide copies the program that synthesizes into a tree that does not have it.
func provide(root, tree string) error {
	to := filepath.Join(tree, synthProgram)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if err := os.CopyFS(to, os.DirFS(filepath.Join(root, synthProgram))); err != nil {
		return fmt.Errorf("copying %s: %w", synthProgram, err)
	}
	return nil
}

// contextOf is the tree's context as the CDK CLI would give it, but that no function is
// compiled: of one, a template shows only the name of its asset.
func contextOf(tree string) (string, error) {
	text, err := os.ReadFile(filepath.Join(tree, "cdk.json"))
	if err != nil {
		return "", fmt.Errorf("reading the context: %w", err)
	}
	var file struct{ Context map[string]any }
	if err := json.Unmarshal(text, &file); err != nil {
		return "", fmt.Errorf("reading cdk.json: %w", err)
	}
	all := map[string]any{}
	maps.Copy(all, file.Context)
	all["aws:cdk:bundling-stacks"] = []string{}
	out, err := json.Marshal(all)
	return string(out), err
}

// Git returns what git prints in root.
func Git(ctx context.Context, root string, arguments ...string) (string, error) {
	var out, trouble bytes.Buffer
	git := exec.CommandContext(ctx, "git", arguments...)
	git.Dir, git.Stdout, git.Stderr = root, &out, &trouble
	if err := git.Run(); err != nil {
		return "", fmt.Errorf("running git %s: %w\n%s", arguments[0], err, trouble.String())
	}
	return out.String(), nil
}

// run runs a program in folder; what it prints is told if it fails.
func run(ctx context.Context, folder string, environment []string, program string, arguments ...string) error {
	var output bytes.Buffer
	command := exec.Command(program, arguments...)
	command.Dir, command.Stdout, command.Stderr = folder, &output, &output
	// The flags of the Makefile's builds: others mean another build cache.
	flags := cmp.Or(os.Getenv("GOFLAGS"), "-trimpath -buildvcs=false")
	command.Env = append(os.Environ(), append(environment, "GOFLAGS="+flags, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")...)
	if err := process.Run(ctx, command); err != nil {
		return fmt.Errorf("%w\n%s", err, output.String())
	}
	return nil
}
