package gateway

import (
	"slices"
	"strings"
)

// match is the resource that a path leads to: a static segment before {param}, and
// both before {greedy+}.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
func (d *deployment) match(path []string) (*resource, map[string]string) {
	var best *resource
	var bestRank []int
	var parameters map[string]string
	for i, candidate := range d.resources {
		found, rank := candidate.match(path)
		if found != nil && (best == nil || slices.Compare(rank, bestRank) < 0) {
			best, bestRank, parameters = &d.resources[i], rank, found
		}
	}
	return best, parameters
}

// match is the path's parameters, nil if it is another resource's; the lower the rank, the better.
func (r resource) match(path []string) (parameters map[string]string, rank []int) {
	parameters = map[string]string{}
	for i, segment := range r.segments {
		name, isParameter := strings.CutPrefix(segment, "{")
		name = strings.TrimSuffix(name, "}")
		greedy, isGreedy := strings.CutSuffix(name, "+")
		switch {
		case i >= len(path):
			return nil, nil
		case isParameter && isGreedy:
			parameters[greedy] = strings.Join(path[i:], "/")
			return parameters, append(rank, 2)
		case isParameter:
			parameters[name] = path[i]
			rank = append(rank, 1)
		case segment != path[i]:
			return nil, nil
		default:
			rank = append(rank, 0)
		}
	}
	if len(path) != len(r.segments) {
		return nil, nil
	}
	return parameters, rank
}

// segments of a path; a slash at the end makes no difference.
func segments(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
