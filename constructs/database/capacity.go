package database

import (
	"strconv"
	"strings"
)

// connectionsPerGiB is somewhat less than what RDS would take itself, a connection
// for each 9,531,392 bytes of the memory that it leaves to the server (112 a GiB at most).
// Being set it is known at synth, to alarms and to clients.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
const (
	connectionsPerGiB = 100
	mostConnections   = 5_000 // of RDS's own formula
	leastConnections  = 20
	maxMaxConnections = 262_143 // what the parameter takes
)

// connections is the default of MaxConnections for a class; 0 if its memory is not known.
func connections(instanceType string) int {
	memory := memoryGiB(instanceType)
	if memory == 0 {
		return 0
	}
	return min(mostConnections, int(memory*connectionsPerGiB))
}

// memoryGiB is the memory of an instance class, such as "t4g.small"; 0 if it is not known.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
func memoryGiB(instanceType string) float64 {
	family, size, found := strings.Cut(instanceType, ".")
	if !found || family == "" {
		return 0
	}
	if family[0] == 't' {
		return map[string]float64{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}[size]
	}
	perProcessor := map[byte]float64{'m': 4, 'r': 8, 'x': 16}[family[0]]
	return perProcessor * processors(size)
}

func processors(size string) float64 {
	switch size {
	case "medium":
		return 1
	case "large":
		return 2
	case "xlarge":
		return 4
	}
	n, err := strconv.Atoi(strings.TrimSuffix(size, "xlarge"))
	if err != nil || !strings.HasSuffix(size, "xlarge") {
		return 0
	}
	return float64(4 * n)
}
