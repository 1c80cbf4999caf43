package delivery

import (
	"regexp"
	"strings"
)

// hiveType reads one type and returns what follows it.
func hiveType(text string) (rest string, ok bool) {
	word := regexp.MustCompile(`^[a-z]+`).FindString(text)
	rest = text[len(word):]
	switch word {
	case "string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "date", "timestamp", "binary":
		return rest, true
	case "decimal":
		digits := regexp.MustCompile(`^\(\d{1,2},\d{1,2}\)`).FindString(rest)
		return rest[len(digits):], digits != ""
	case "array", "map", "struct":
		return hiveTypes(word, rest)
	}
	return text, false
}

// hiveTypes reads what is between the angle brackets of a type.
func hiveTypes(kind, text string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, "<")
	for i := 0; ok; i++ {
		if kind == "struct" {
			name := regexp.MustCompile(`^[a-z_][a-z0-9_]*:`).FindString(rest)
			rest, ok = rest[len(name):], name != ""
		} else if kind == "map" && i == 0 {
			ok = strings.HasPrefix(rest, "string,") // JSON's names are strings
		}
		if ok {
			rest, ok = hiveType(rest)
		}
		if after, end := strings.CutPrefix(rest, ">"); ok && end {
			return after, kind == "struct" || kind == "array" && i == 0 || kind == "map" && i == 1
		}
		if ok {
			rest, ok = strings.CutPrefix(rest, ",")
		}
	}
	return rest, false
}
