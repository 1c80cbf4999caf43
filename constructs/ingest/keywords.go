package ingest

import (
	"fmt"
	"maps"
	"slices"
)

// holds says what the value of a keyword is made of.
type holds int

const (
	noSchema holds = iota
	oneSchema
	listOfSchemas    // or one, as items may be
	schemasByMembers // whose names are the user's
)

// keywords are those of JSON Schema draft 4, but for id, which strays refuses.
// https://json-schema.org/draft-04/schema
func keywords() map[string]holds {
	return map[string]holds{
		"$ref": noSchema, "title": noSchema, "description": noSchema, "default": noSchema, "enum": noSchema, "type": noSchema, "format": noSchema,
		"multipleOf": noSchema, "maximum": noSchema, "exclusiveMaximum": noSchema, "minimum": noSchema, "exclusiveMinimum": noSchema,
		"maxLength": noSchema, "minLength": noSchema, "pattern": noSchema, "maxItems": noSchema, "minItems": noSchema, "uniqueItems": noSchema,
		"maxProperties": noSchema, "minProperties": noSchema, "required": noSchema,
		"not": oneSchema, "additionalItems": oneSchema, "additionalProperties": oneSchema,
		"items": listOfSchemas, "allOf": listOfSchemas, "anyOf": listOfSchemas, "oneOf": listOfSchemas,
		"definitions": schemasByMembers, "properties": schemasByMembers, "patternProperties": schemasByMembers, "dependencies": schemasByMembers,
	}
}

// inDraft4 says how draft 4 spells what later drafts have a keyword for.
func inDraft4() map[string]string {
	return map[string]string{
		"$schema":               "say it at the root only",
		"$defs":                 "definitions",
		"$comment":              "description",
		"examples":              "description",
		"const":                 "enum with one value",
		"contains":              "not and items and not",
		"propertyNames":         "patternProperties and additionalProperties: false",
		"if":                    "anyOf and not",
		"then":                  "anyOf and not",
		"else":                  "anyOf and not",
		"prefixItems":           "items with a list",
		"dependentRequired":     "dependencies",
		"dependentSchemas":      "dependencies",
		"unevaluatedProperties": "additionalProperties",
		"unevaluatedItems":      "additionalItems",
	}
}

// unknownInRoot are the unknownKeywords of a whole schema, which may say its draft.
func unknownInRoot(schema any) []string {
	root, _ := schema.(map[string]any)
	root = maps.Clone(root)
	delete(root, "$schema")
	return unknownKeywords(root)
}

// unknownKeywords are those of a decoded schema, and of all schemas within it, that draft 4 does not have.
// JSON Schema itself ignores them: a typo would let everything through, and the OpenAPI document promise otherwise.
func unknownKeywords(schema any) []string {
	members, ok := schema.(map[string]any)
	if !ok {
		return nil // true or false, or what the compiler refuses
	}
	var found []string
	known, instead := keywords(), inDraft4()
	for _, keyword := range slices.Sorted(maps.Keys(members)) {
		value := members[keyword]
		kind, ok := known[keyword]
		switch {
		case ok:
			found = append(found, unknownWithin(kind, value)...)
		case instead[keyword] != "":
			found = append(found, fmt.Sprintf("%q (in draft 4: %s)", keyword, instead[keyword]))
		default:
			found = append(found, fmt.Sprintf("%q", keyword))
		}
	}
	return found
}

func unknownWithin(kind holds, value any) []string {
	var found []string
	switch kind {
	case noSchema:
	case schemasByMembers:
		members, _ := value.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			found = append(found, unknownKeywords(members[name])...)
		}
	case oneSchema, listOfSchemas:
		list, ok := value.([]any)
		if !ok {
			return unknownKeywords(value)
		}
		for _, element := range list {
			found = append(found, unknownKeywords(element)...)
		}
	}
	return found
}
