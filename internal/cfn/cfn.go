// Package cfn reads CloudFormation templates as encoding/json has them.
package cfn

// Texts are the strings of a string or of a list, which many of a template's members may be.
func Texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
