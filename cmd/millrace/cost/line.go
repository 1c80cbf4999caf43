// Package cost computes what a month of events costs an environment, from its templates and from prices.
// It is an estimate of list prices, and never the bill: no template of this repository was ever deployed to AWS.
package cost

// Line is what the templates of an environment say about what is paid for.
type Line struct {
	APIs                                 int
	RequestsPerSecond                    float64 // that the API's stage lets in; 0: not said
	Traced                               bool
	WebACLs, WebACLRules                 int
	Streams                              []Stream
	Deliveries                           []Delivery
	Loaders                              []Loader
	Databases                            []Database
	Backups                              []Backup
	Buckets                              map[string]Bucket // by name
	KPUs                                 float64
	Keys, Secrets, EndpointZones         int
	AlarmMetrics, Composites, Dashboards int
}

// Stream is a Kinesis data stream.
type Stream struct {
	Name           string
	Shards         float64 // 0: on-demand
	RetentionHours float64
	Consumers      float64 // with enhanced fan-out
	ShardMetrics   float64 // of each shard
}

// Delivery is a Firehose stream to S3.
type Delivery struct {
	Bucket                   string
	BufferMiB, BufferSeconds float64
	Converts, Partitions     bool
	FunctionMiB              float64 // 0: no transformer
	FunctionX86              bool
	FunctionBuffer           float64 // MiB
	FunctionSeconds          float64
	KeyedByObject, Direct    bool // one request to KMS an object; filled by others than the stream
}

// Loader is a function that Lambda hands the stream's records.
type Loader struct {
	BatchSize, WindowSeconds, Parallel, MiB float64
	X86                                     bool
}

// Database is an RDS instance.
type Database struct {
	Class        string
	Zones        float64
	GiB, MostGiB float64
	OtherRegion  bool
}

// Backup is a rule of a plan of AWS Backup, for what its selection names.
type Backup struct {
	Databases float64
	Buckets   []string
	Copies    float64
}

// Bucket is what becomes of an object besides being kept.
type Bucket struct {
	Replicated, TimeControl bool
}
