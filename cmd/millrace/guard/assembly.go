package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Stack is what a cloud assembly has of a stack.
type Stack struct {
	Template map[string]any
	// Paths are the resources' construct paths, by logical id.
	Paths map[string]string
	// Protected says that CloudFormation refuses to delete the stack.
	Protected bool
	// Name is what CloudFormation knows it by, and Account and Region where, "" where the assembly leaves it open.
	Name, Account, Region string
}

// manifest is what is read of an assembly's manifest.json:
// https://docs.aws.amazon.com/cdk/api/v2/docs/cloud-assembly-schema-readme.html
type manifest struct {
	Artifacts map[string]struct {
		Type        string
		DisplayName string
		Environment string
		Properties  struct {
			TemplateFile          string
			StackName             string
			DirectoryName         string
			TerminationProtection bool
		}
		Metadata               map[string][]metadata
		AdditionalMetadataFile string
	}
}

type metadata struct {
	Type string
	Data any
}

// IsAssembly says whether path is the folder of a cloud assembly.
func IsAssembly(path string) bool {
	info, err := os.Stat(filepath.Join(path, "manifest.json"))
	return err == nil && !info.IsDir()
}

// Load returns the stacks of the cloud assembly in folder and of those nested in it, by
// their construct paths.
func Load(folder string) (map[string]Stack, error) {
	var m manifest
	if err := read(filepath.Join(folder, "manifest.json"), &m); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is no cloud assembly: it has no manifest.json", folder)
		}
		return nil, err
	}
	stacks := map[string]Stack{}
	for id, artifact := range m.Artifacts {
		switch artifact.Type {
		case "cdk:cloud-assembly":
			nested, err := Load(filepath.Join(folder, artifact.Properties.DirectoryName))
			if err != nil {
				return nil, err
			}
			for name, stack := range nested {
				stacks[name] = stack
			}
		case "aws:cloudformation:stack":
			if artifact.DisplayName != "" {
				id = artifact.DisplayName
			}
			entries := artifact.Metadata
			if artifact.AdditionalMetadataFile != "" {
				if err := read(filepath.Join(folder, artifact.AdditionalMetadataFile), &entries); err != nil {
					return nil, err
				}
			}
			stack := Stack{Paths: paths(entries), Protected: artifact.Properties.TerminationProtection, Name: artifact.Properties.StackName}
			stack.Account, stack.Region = where(artifact.Environment)
			if err := read(filepath.Join(folder, artifact.Properties.TemplateFile), &stack.Template); err != nil {
				return nil, err
			}
			stacks[id] = stack
		}
	}
	return stacks, nil
}

// where reads aws://ACCOUNT/REGION, in which unknown-account and unknown-region leave it to whoever deploys.
func where(environment string) (account, region string) {
	account, region, _ = strings.Cut(strings.TrimPrefix(environment, "aws://"), "/")
	if account == "unknown-account" {
		account = ""
	}
	if region == "unknown-region" {
		region = ""
	}
	return account, region
}

func paths(entries map[string][]metadata) map[string]string {
	all := map[string]string{}
	for path, list := range entries {
		for _, entry := range list {
			if id, ok := entry.Data.(string); ok && entry.Type == "aws:cdk:logicalId" {
				all[id] = strings.TrimPrefix(path, "/")
			}
		}
	}
	return all
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading a cloud assembly: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// path is the resource's construct path, else its logical id.
func (s Stack) path(id string) string {
	if path := s.Paths[id]; path != "" {
		return path
	}
	return id
}

func (s Stack) resources() map[string]any { return object(s.Template["Resources"]) }

func (s Stack) resource(id string) map[string]any { return object(s.resources()[id]) }

func (s Stack) kind(id string) string {
	kind, _ := s.resource(id)["Type"].(string)
	return kind
}

func (s Stack) properties(id string) map[string]any { return object(s.resource(id)["Properties"]) }

func object(value any) map[string]any { o, _ := value.(map[string]any); return o }

// at is the value at the dotted path, nil where it ends.
func at(value any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		value = object(value)[key]
	}
	return value
}
