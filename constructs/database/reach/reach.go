// Package reach looks in CloudFormation templates for ways by which a database
// could be reached, or its data taken, from outside. It reads resources by their
// type and properties, so it does not matter what defined them, and imports
// nothing of the CDK.
//
// Where the templates leave a question open (a group or a subnet of somebody
// else's, a condition that is decided at the deploy), the worse answer counts:
// what is not known to be closed is a [Path].
package reach

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Template is a CloudFormation template as encoding/json reads it.
type Template = map[string]any

// Path is a way by which a database could be reached.
type Path struct {
	// Database is the database, as STACK/LOGICAL ID.
	Database string
	// Steps lead from the outside inwards; the last one stands before the database.
	Steps []Step
}

// Step is a resource on a [Path].
type Step struct {
	// Resource is STACK/LOGICAL ID, or what the template says of one that is in none of the templates.
	Resource string
	// Why says what the resource has to do with the way in.
	Why string
}

func (p Path) String() string {
	steps := make([]string, 0, len(p.Steps)+1)
	for _, step := range p.Steps {
		steps = append(steps, step.Resource+" ("+step.Why+")")
	}
	return strings.Join(append(steps, p.Database), " -> ")
}

// Paths finds the ways to every database of templates, in the order of their
// text; none is the proof that there is no way. The key of a template is its
// stack's name; that of a nested stack is its parent's key, a slash, and its
// logical id there. It is an error if there is no database, or if the template of
// a nested stack is missing: nothing would be proven.
func Paths(templates map[string]Template) ([]Path, error) {
	m, err := newModel(templates)
	if err != nil {
		return nil, err
	}
	found := map[string]Path{}
	databases := m.ofKind(instanceKind, clusterKind)
	if len(databases) == 0 {
		return nil, errors.New("the templates have no AWS::RDS::DBInstance and no AWS::RDS::DBCluster: there is nothing to prove")
	}
	for _, database := range databases {
		f := &finder{model: m, database: database, asked: map[string]bool{}, report: func(p Path) { found[p.String()] = p }}
		f.find()
	}
	paths := make([]Path, 0, len(found))
	for _, text := range slices.Sorted(maps.Keys(found)) {
		paths = append(paths, found[text])
	}
	return paths, nil
}

// Databases lists the logical ids of the databases that template defines.
func Databases(template Template) []string {
	var ids []string
	resources, _ := template["Resources"].(map[string]any)
	for id, body := range resources {
		resource, _ := body.(map[string]any)
		if kind := resource["Type"]; kind == instanceKind || kind == clusterKind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Error joins paths into one error, a line each; it is nil if there is none.
func Error(paths []Path) error {
	errs := make([]error, 0, len(paths))
	for _, path := range paths {
		errs = append(errs, fmt.Errorf("%s could be reached: %s", path.Database, path))
	}
	return errors.Join(errs...)
}

// finder looks for the ways to one database. Its methods take a trail: the
// steps from what they look at to the database.
type finder struct {
	*model
	database *resource
	asked    map[string]bool // what was looked at already, with the trail's first step: groups may let each other in
	report   func(Path)
}

const (
	instanceKind = "AWS::RDS::DBInstance"
	clusterKind  = "AWS::RDS::DBCluster"
)

func (f *finder) find() {
	f.door()
	f.proxies()
	f.targets()
	f.offers()
	f.copies()
}

// leak reports the way that begins with a resource of that name and goes on along trail.
func (f *finder) leak(trail []Step, name, format string, args ...any) {
	f.report(Path{Database: f.database.name(), Steps: outward(trail, name, format, args...)})
}

// outward is trail with one more step at its outer end.
func outward(trail []Step, name, format string, args ...any) []Step {
	return append([]Step{{Resource: name, Why: fmt.Sprintf(format, args...)}}, trail...)
}
