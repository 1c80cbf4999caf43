package ingest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// modernSchema turns a JSON Schema of draft 4, which is what API Gateway's models
// are, into one of draft 2020-12, which is what OpenAPI 3.1 has. root is where it will
// stand in the document: references within the schema are from there on.
// https://json-schema.org/draft/2020-12/release-notes and those of draft 6 and 2019-09.
func modernSchema(draft4 map[string]any, root string) (map[string]any, error) {
	text, err := json.Marshal(draft4) // whatever Go types the user chose, they are JSON's from here on
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("decoding the schema: %w", err)
	}
	return modern(schema, root), nil
}

// modern converts one schema and those in it. It looks only where a keyword holds schemas: a
// member of the same name below "properties" or "enum" is the user's own.
func modern(schema map[string]any, root string) map[string]any {
	if ref, ok := schema["$ref"].(string); ok {
		return map[string]any{"$ref": modernRef(ref, root)} // draft 4 ignores what stands beside a reference
	}
	converted := map[string]any{}
	for keyword, value := range schema {
		switch keyword {
		case "$schema": // the document says which draft
		case "definitions":
			converted["$defs"] = modernMap(value, root)
		case "properties", "patternProperties":
			converted[keyword] = modernMap(value, root)
		case "allOf", "anyOf", "oneOf":
			converted[keyword] = modernList(value, root)
		case "not", "additionalProperties":
			converted[keyword] = modernAny(value, root)
		case "items":
			if list, ok := value.([]any); ok {
				converted["prefixItems"] = modernList(list, root)
				if more, ok := schema["additionalItems"]; ok {
					converted["items"] = modernAny(more, root)
				}
				continue
			}
			converted["items"] = modernAny(value, root)
		case "additionalItems": // with "items"; means nothing without a list there
		case "dependencies":
			modernDependencies(value, root, converted)
		case "minimum", "maximum":
			if exclusive := "exclusive" + strings.ToUpper(keyword[:1]) + keyword[1:]; schema[exclusive] == true {
				converted[exclusive] = value
				continue
			}
			converted[keyword] = value
		case "exclusiveMinimum", "exclusiveMaximum": // with the bound
		default:
			converted[keyword] = value
		}
	}
	return converted
}

func modernAny(value any, root string) any {
	if schema, ok := value.(map[string]any); ok {
		return modern(schema, root)
	}
	return value // true or false
}

func modernMap(value any, root string) any {
	schemas, ok := value.(map[string]any)
	if !ok {
		return value
	}
	converted := map[string]any{}
	for name, schema := range schemas {
		converted[name] = modernAny(schema, root)
	}
	return converted
}

func modernList(value any, root string) any {
	schemas, ok := value.([]any)
	if !ok {
		return value
	}
	converted := make([]any, 0, len(schemas))
	for _, schema := range schemas {
		converted = append(converted, modernAny(schema, root))
	}
	return converted
}

// modernDependencies parts what draft 4 has under one name: members that ask for
// members, and members that ask for a schema.
func modernDependencies(value any, root string, converted map[string]any) {
	dependencies, _ := value.(map[string]any)
	required, schemas := map[string]any{}, map[string]any{}
	for name, asks := range dependencies {
		if schema, ok := asks.(map[string]any); ok {
			schemas[name] = modern(schema, root)
			continue
		}
		required[name] = asks
	}
	if len(required) > 0 {
		converted["dependentRequired"] = required
	}
	if len(schemas) > 0 {
		converted["dependentSchemas"] = schemas
	}
}

// modernRef follows what modern renames. A reference out of the schema stays as it is.
func modernRef(ref, root string) string {
	pointer, local := strings.CutPrefix(ref, "#")
	if !local {
		return ref
	}
	segments := strings.Split(pointer, "/")
	for i := 1; i < len(segments); i++ {
		switch segments[i] {
		case "properties", "patternProperties", "allOf", "anyOf", "oneOf":
			i++ // the next is a name or a number
		case "definitions":
			segments[i] = "$defs"
			i++
		case "dependencies":
			segments[i] = "dependentSchemas"
			i++
		case "items":
			if i+1 < len(segments) && isIndex(segments[i+1]) {
				segments[i] = "prefixItems"
				i++
			}
		case "additionalItems":
			segments[i] = "items"
		}
	}
	return "#" + root + strings.Join(segments, "/")
}

func isIndex(segment string) bool {
	return segment != "" && strings.Trim(segment, "0123456789") == ""
}
