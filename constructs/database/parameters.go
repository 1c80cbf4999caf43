package database

import (
	"maps"
	"strconv"

	"github.com/aws/jsii-runtime-go"
)

// audited are the classes of statements that pgAudit logs: who changed a
// structure, who changed a role or a right. Not read and write, whose text is data.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.pgaudit.basic-setup.html
const audited = "ddl,role"

// fixed are the parameters that [PrivateRdsProps.Parameters] may not change.
func fixed() map[string]string {
	return map[string]string{
		// TLS or no connection. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
		"rds.force_ssl": "1",

		// Who came, as whom, by which authentication, and when they went.
		// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.Query_Logging.html
		"log_connections":    "1",
		"log_disconnections": "1",

		// Not ddl: Postgres would log the rotation's ALTER ROLE with the new password in it,
		// for which AWS advises pgAudit, which leaves passwords out. Same page.
		"log_statement": "none",
		// pg_stat_statements is RDS's default and what Database Insights reads.
		"shared_preload_libraries": "pg_stat_statements,pgaudit",
		// It keeps the text of ALTER ROLE as it came. https://www.postgresql.org/docs/current/pgstatstatements.html
		"pg_stat_statements.track_utility": "0",
		"pgaudit.log":                      audited,
		"pgaudit.log_parameter":            "0",
		"pgaudit.log_catalog":              "0", // what clients ask the catalog says nothing

		// The text of a statement that is slow or fails, and the values bound to it, are data.
		// https://www.postgresql.org/docs/current/runtime-config-logging.html
		"log_min_duration_statement":        "-1",
		"log_min_error_statement":           "panic",
		"log_parameter_max_length":          "0",
		"log_parameter_max_length_on_error": "0",
		// Leaves out an error's DETAIL, which quotes the row.
		"log_error_verbosity": "terse",
	}
}

// parameters of the server: TLS or nothing, and a log that says who came, who
// changed what, and no data.
func (p *PrivateRdsProps) parameters() *map[string]*string {
	all := map[string]string{}
	if p.MaxConnections > 0 {
		all["max_connections"] = strconv.Itoa(p.MaxConnections)
	}
	maps.Copy(all, p.Parameters)
	maps.Copy(all, fixed())
	parameters := make(map[string]*string, len(all))
	for name, value := range all {
		parameters[name] = jsii.String(value)
	}
	return &parameters
}
