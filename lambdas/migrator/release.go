package migrator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/spec"
)

// ReleaseError is what is wrong with a release's migrations, by the file that it is about.
type ReleaseError struct{ File, What, Instead string }

func (e *ReleaseError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.File, e.What, e.Instead)
}

// CheckRelease reports, as [ReleaseError]s, what breaks the order of expand, migrate and
// contract between the migrations of the last release and those of the next one, by file
// name. A change of the schema takes three releases, so that the loader of each works with
// the schema of the one before and of the one after: the first adds, the second does without
// what is to go (Retired), the third takes that away, in one file that is marked as a contract
// and alone. A deploy refuses most of this too (see [Migrator.Migrate]); here it is said before.
//
// A hand-written contract names no declaration: that the release before it did without what it
// takes away is for its reviewer to see.
func CheckRelease(last, next map[string]string) error {
	var errs []error
	say := func(file, what, instead string) { errs = append(errs, &ReleaseError{file, what, instead}) }

	newest := ""
	for _, name := range slices.Sorted(maps.Keys(last)) {
		newest = name
		text, found := next[name]
		switch {
		case !found:
			say(name, "is released and is gone", "put it back: databases have it, and count by it")
		case text != last[name]:
			say(name, "is released and was edited", "restore it, and put the change into a file of its own: databases that have it never get the edit")
		}
	}

	var expands, contracts []string
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if _, released := last[name]; released {
			continue
		}
		if name < newest {
			say(name, "is new and comes before "+newest+", which is released", "give it the next number: the order is that of the names")
		}
		if strings.Contains(next[name], contractMark+"\n") {
			contracts = append(contracts, name)
			continue
		}
		expands = append(expands, name)
		if what := destructive(next[name]); what != "" {
			say(name, fmt.Sprintf("takes something away (%q)", what),
				fmt.Sprintf("put that into a file of its own with the line %q, two releases after the one that adds what replaces it", contractMark))
		}
	}
	for _, name := range contracts {
		if len(expands) > 0 && len(last) > 0 {
			say(name, "is a contract, and "+strings.Join(expands, ", ")+" is new too", "release the contract alone, after the others")
		}
		if len(last) == 0 {
			continue
		}
		if err := contractsRetired(last[newest], next[name]); err != nil {
			say(name, "takes away what the last release still writes", err.Error())
		}
	}
	if len(expands) > 0 && len(last) > 0 {
		name := expands[len(expands)-1]
		for _, what := range retiredAtOnce(last[newest], next[name]) {
			say(name, what, "release what is new first, fill it, and retire the old in the release after: the loader of the release before this one does not write the new one yet")
		}
	}
	return errors.Join(errs...)
}

// contractsRetired says what a generated contract takes away that the last release had not retired.
func contractsRetired(before, contract string) error {
	was, is, both := declarations(before, contract)
	if !both {
		return nil
	}
	_, err := GenerateContract(was, is)
	return err
}

// retiredAtOnce says what a release retires together with adding what takes its place.
func retiredAtOnce(before, after string) (all []string) {
	was, is, both := declarations(before, after)
	if !both {
		return nil
	}
	for _, t := range is {
		i := index(was, t.Name)
		if i < 0 {
			continue
		}
		var added, retired []string
		for _, c := range t.Columns {
			before, found := was[i].Column(c.Name)
			switch {
			case !found:
				added = append(added, c.Name)
			case c.Retired && !before.Retired:
				retired = append(retired, c.Name)
			}
		}
		if len(added) > 0 && len(retired) > 0 {
			all = append(all, fmt.Sprintf("adds %s and retires %s of table %s at once", strings.Join(added, ", "), strings.Join(retired, ", "), t.Name))
		}
	}
	return all
}

// declarations are the tables that two generated migrations lead to; both says that they are generated.
func declarations(before, after string) (was, is []spec.Table, both bool) {
	was, errBefore := spec.TablesOf(before)
	is, errAfter := spec.TablesOf(after)
	return was, is, errBefore == nil && errAfter == nil
}
