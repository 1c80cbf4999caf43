package guard

import (
	"errors"
	"maps"
	"slices"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
)

// migrationType is the custom resource that has the migrations of declared tables in its properties.
const migrationType = "Custom::MillraceMigration"

// Migrations finds what breaks the order of expand, migrate and contract: in the migrator's own
// folder, if both sides are revisions, and in the templates.
func Migrations(base, head Side) (all []Finding) {
	say := func(stack, resource string, err error) {
		var broken *migrator.ReleaseError
		for _, each := range split(err) {
			if errors.As(each, &broken) {
				all = append(all, Finding{
					Kind: MigrationOrder, Stack: stack, Resource: resource, Type: migrationType, Property: broken.File,
					To: broken.What, Instead: broken.Instead,
				})
			}
		}
	}
	if base.Migrations != nil && head.Migrations != nil {
		say("", migrationsFolder, migrator.CheckRelease(base.Migrations, head.Migrations))
	}
	for _, name := range names(base.Stacks, head.Stacks) {
		before, after := base.Stacks[name], head.Stacks[name]
		for _, id := range slices.Sorted(maps.Keys(before.resources())) {
			if before.kind(id) == migrationType && after.kind(id) == migrationType {
				say(name, before.path(id), migrator.CheckRelease(files(before, id), files(after, id)))
			}
		}
	}
	return all
}

func split(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

func files(stack Stack, id string) map[string]string {
	all := map[string]string{}
	for name, text := range object(stack.properties(id)["Migrations"]) {
		all[name] = show(text)
	}
	return all
}
