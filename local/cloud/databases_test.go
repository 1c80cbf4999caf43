package cloud

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/cloud/postgres"
)

const databaseTemplate = `{"Resources": {
	"Other": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "not JSON"}},
	"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "master-%[1]d", "SecretString": "{\"username\": \"The Master\", \"password\": \"it's \\\"first\\\"\"}"}},
	"Database": {"Type": "AWS::RDS::DBInstance", "Properties": {"Engine": "postgres", "DBName": "events", "Port": "%[1]d",
		"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20", "MasterUsername": "The Master", "MasterUserPassword": "unused"}},
	"Attachment": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {
		"SecretId": {"Ref": "Secret"}, "TargetId": {"Ref": "Database"}, "TargetType": "AWS::RDS::DBInstance"}}},
	"Outputs": {"Host": {"Value": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}}}}`

func TestDeployedDatabaseIsSetUpAsRDSDoes(t *testing.T) {
	root := newRoot(t)
	require.NoError(t, os.MkdirAll(stateFolder(root).path("log"), 0o755)) // as Run does
	running, err := startEmulator(t.Context(), root)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, running.process.Stop(context.Background(), syscall.SIGKILL)) })
	server, err := postgres.Start(t.Context(), postgres.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop(context.Background())) })
	client := config(running.endpoint)
	watcher := watchDatabases(t.Context(), client, server, func() error { return nil }, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(watcher.Close)

	stacks := cloudformation.NewFromConfig(client)
	deploy := func() {
		_, err := stacks.CreateStack(t.Context(), &cloudformation.CreateStackInput{
			StackName: aws.String("Database"), TemplateBody: aws.String(fmt.Sprintf(databaseTemplate, server.Port)),
		})
		require.NoError(t, err)
		require.NoError(t, cloudformation.NewStackCreateCompleteWaiter(stacks, func(o *cloudformation.StackCreateCompleteWaiterOptions) { o.MinDelay = 100 * time.Millisecond }).
			Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("Database")}, time.Minute))
	}
	connect := func(password string) *pgx.Conn {
		var conn *pgx.Conn
		require.Eventually(t, func() bool {
			var err error
			conn, err = pgx.Connect(t.Context(), server.DSN("The Master", password, "events"))
			return err == nil
		}, 20*time.Second, 100*time.Millisecond)
		t.Cleanup(func() { _ = conn.Close(context.Background()) }) // a later step may have cut it
		return conn
	}

	deploy()
	described, err := stacks.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("Database")})
	require.NoError(t, err)
	assert.Equal(t, "localhost", aws.ToString(described.Stacks[0].Outputs[0].OutputValue))

	master := connect(`it's "first"`)
	_, err = master.Exec(t.Context(), `CREATE TABLE kept (n int); CREATE ROLE loader LOGIN; GRANT rds_iam TO loader; GRANT SELECT ON kept TO loader`)
	require.NoError(t, err, "a master may make tables and roles, and hand on rds_iam")
	loader, err := pgx.Connect(t.Context(), server.DSN("loader", "a token", "events"))
	require.NoError(t, err)
	require.NoError(t, loader.Close(t.Context()))
	var superuser bool
	require.NoError(t, master.QueryRow(t.Context(), "SELECT usesuper FROM pg_user WHERE usename = current_user").Scan(&superuser))
	assert.False(t, superuser)

	_, err = secretsmanager.NewFromConfig(client).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId:     aws.String(fmt.Sprintf("master-%d", server.Port)),
		SecretString: aws.String(fmt.Sprintf(`{"username": "The Master", "password": "second", "host": "localhost", "port": %d}`, server.Port)),
	})
	require.NoError(t, err)
	master = connect("second")
	require.NoError(t, master.QueryRow(t.Context(), "SELECT count(*) = 0 FROM kept").Scan(new(bool)), "a new password keeps the data")

	instances := rds.NewFromConfig(client)
	found, err := instances.DescribeDBInstances(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, found.DBInstances, 1)
	id := found.DBInstances[0].DBInstanceIdentifier
	_, err = instances.StopDBInstance(t.Context(), &rds.StopDBInstanceInput{DBInstanceIdentifier: id})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return master.Ping(t.Context()) != nil }, 20*time.Second, 100*time.Millisecond, "a stopped instance is cut off")
	_, err = instances.StartDBInstance(t.Context(), &rds.StartDBInstanceInput{DBInstanceIdentifier: id})
	require.NoError(t, err)
	master = connect("second")
	require.NoError(t, master.QueryRow(t.Context(), "SELECT count(*) = 0 FROM kept").Scan(new(bool)), "a started instance has its data")
	select {
	case <-server.Ended():
		assert.Fail(t, "a stopped server has not ended by itself")
	default:
	}

	_, err = stacks.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("Database")})
	require.NoError(t, err)
	require.NoError(t, cloudformation.NewStackDeleteCompleteWaiter(stacks, func(o *cloudformation.StackDeleteCompleteWaiterOptions) { o.MinDelay = 100 * time.Millisecond }).
		Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("Database")}, time.Minute))
	deploy()
	master = connect(`it's "first"`)
	var left int
	require.NoError(t, master.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_tables WHERE tablename = 'kept') + (SELECT count(*) FROM pg_roles WHERE rolname = 'loader')").Scan(&left))
	assert.Zero(t, left, "a new instance is empty")
}
