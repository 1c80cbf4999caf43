package steps

import (
	"strconv"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event/object"
	"github.com/millrace-cdk/millrace/spec"
)

// tree is the members that paths go through.
type tree struct {
	name   string
	here   bool // a path ends here
	inside []*tree
}

func newTree(paths []string) *tree {
	root := new(tree)
	for _, path := range paths {
		at := root
		for _, name := range mustParse(path) {
			next := at.find([]byte(name))
			if next == nil {
				next = &tree{name: name}
				at.inside = append(at.inside, next)
			}
			at = next
		}
		at.here = true
	}
	return root
}

func (t *tree) find(name []byte) *tree {
	for _, inside := range t.inside {
		if inside.name == string(name) {
			return inside
		}
	}
	return nil
}

// mustParse parses a path that [spec.Transformer.Validate] has seen.
func mustParse(path string) []string {
	names, err := spec.ParsePath(path)
	if err != nil {
		panic(err)
	}
	return names
}

// change appends to dst what is in value's place. Not to keep is to take the member out.
type change func(dst, value []byte) (_ []byte, keep bool, err error)

// newEdit is the step that changes what stands at paths.
func newEdit(paths []string, c change) step {
	t := newTree(paths)
	return func(d *document) (err error) {
		d.text, err = rewrite(make([]byte, 0, len(d.text)+64), d.text, t, c)
		return err
	}
}

// rewrite appends value, an array or object, to dst with what t names changed.
func rewrite(dst, value []byte, t *tree, c change) (_ []byte, err error) {
	closing := value[len(value)-1]
	dst = append(dst, value[0])
	empty := true
	separate := func() {
		if !empty {
			dst = append(dst, ',')
		}
		empty = false
	}
	if value[0] == '[' {
		for element := range object.Elements(value) {
			separate()
			if dst, err = inside(dst, element, t, c); err != nil {
				return dst, err
			}
		}
		return append(dst, closing), nil
	}
	for m := range object.Members(value) {
		next := t.find(m.Name(value))
		undo, wasEmpty := len(dst), empty
		separate()
		dst = append(dst, value[m.Start:m.Colon+1]...)
		keep := true
		switch {
		case next == nil:
			dst = append(dst, m.Value(value)...)
		case next.here:
			dst, keep, err = c(dst, m.Value(value))
		default:
			dst, err = inside(dst, m.Value(value), next, c)
		}
		if err != nil {
			return dst, err
		}
		if !keep {
			dst, empty = dst[:undo], wasEmpty
		}
	}
	return append(dst, closing), nil
}

// inside appends value to dst, changed within where it has an inside.
func inside(dst, value []byte, t *tree, c change) ([]byte, error) {
	if value[0] == '{' || value[0] == '[' {
		return rewrite(dst, value, t, c)
	}
	return append(dst, value...), nil
}

func remove(dst, _ []byte) ([]byte, bool, error) { return dst, false, nil }

func redactWith(text string) change {
	if text == "" {
		text = spec.DefaultRedaction
	}
	quoted := object.AppendString(nil, text)
	return func(dst, _ []byte) ([]byte, bool, error) { return append(dst, quoted...), true, nil }
}

func newAdd(a spec.Add) step {
	t := &tree{inside: []*tree{{name: a.Name, here: true}}}
	name := append(object.AppendString(nil, a.Name), ':')
	return func(d *document) (err error) {
		value := object.AppendString(nil, added(a, d))
		replaced := false
		text, err := rewrite(make([]byte, 0, len(d.text)+len(name)+len(value)+1), d.text, t, func(dst, _ []byte) ([]byte, bool, error) {
			replaced = true
			return append(dst, value...), true, nil
		})
		if !replaced {
			text = text[:len(text)-1]
			if len(text) > len("{") {
				text = append(text, ',')
			}
			text = append(append(append(text, name...), value...), '}')
		}
		d.text = text
		return err
	}
}

// added returns the value of a's member.
func added(a spec.Add, d *document) string {
	switch a.From {
	case "arrived_at":
		return d.record.ArrivedAt.UTC().Format(time.RFC3339Nano)
	case "stream":
		return d.record.Origin.Stream
	case "shard":
		return d.record.Origin.Shard
	case "sequence":
		return d.record.Origin.Sequence
	case "sub_sequence":
		return strconv.FormatInt(d.record.Origin.SubSequence, 10)
	case "partition_key":
		return d.record.PartitionKey
	default:
		return a.Value
	}
}
