package database_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	err := (&database.PrivateRdsProps{
		VpcSubnets:          &awsec2.SubnetSelection{},
		AvailabilityZones:   []string{"eu-west-1a"},
		AllocatedStorageGiB: 5,
		BackupRetention:     awscdk.Duration_Days(jsii.Number(36)),
		Port:                80,
		DatabaseName:        "my-db",
		RotationInterval:    awscdk.Duration_Hours(jsii.Number(36)),
		CABundle:            "not a certificate",
		RemovalPolicy:       awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
	}).Validate()
	assert.EqualError(t, err, `vpc subnets are given without a vpc: give the vpc too
availability zones must be 2 to 16, got ["eu-west-1a"]
allocated storage must be 20 to 65536 GiB, got 5
port must be 1150 to 65535, got 80
backup retention must be 1 to 35 whole days, got 36
database name must be a letter, then letters, digits and underscores, 63 at most, got "my-db"
rotation interval must be 1 to 999 whole days, got 1.5
ca bundle must be certificates in PEM, found none
removal policy must be DESTROY, SNAPSHOT or RETAIN, got RETAIN_ON_UPDATE_OR_DELETE`)
}

func TestValidateRefusesWhatExcludesEachOther(t *testing.T) {
	vpc := theirVpc(cdktest.NewStack())
	for want, props := range map[string]*database.PrivateRdsProps{
		"availability zones are of a new vpc":           {Vpc: vpc, AvailabilityZones: []string{"a", "b"}},
		"skip flow log is of a new vpc":                 {Vpc: vpc, SkipFlowLog: true},
		"rotation interval is given and rotation is":    {SkipRotation: true, RotationInterval: awscdk.Duration_Days(jsii.Number(1))},
		`must be named, each once, got ["a" "b" "a"]`:   {AvailabilityZones: []string{"a", "b", "a"}},
		`must be named, each once, got ["a" ""]`:        {AvailabilityZones: []string{"a", ""}},
		"backup retention must be 1 to 35 whole days":   {BackupRetention: awscdk.Duration_Days(jsii.Number(0))},
		"backup retention must be 1 to 35 whole days, ": {BackupRetention: awscdk.Duration_Hours(jsii.Number(36))},
	} {
		assert.ErrorContains(t, props.Validate(), want)
	}
}

func TestACABundleIsCertificatesAndNoKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	bundle := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))

	assert.NoError(t, (&database.PrivateRdsProps{CABundle: bundle}).Validate())
	bundle += string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	assert.ErrorContains(t, (&database.PrivateRdsProps{CABundle: bundle}).Validate(), `found a block "PRIVATE KEY"`)
}

func TestValidateAcceptsNothingAndTheEdges(t *testing.T) {
	assert.NoError(t, (*database.PrivateRdsProps)(nil).Validate())
	assert.NoError(t, (&database.PrivateRdsProps{
		AvailabilityZones:   []string{"b", "a"},
		AllocatedStorageGiB: 65_536,
		Port:                1_150,
		BackupRetention:     awscdk.Duration_Days(jsii.Number(1)),
		RotationInterval:    awscdk.Duration_Days(jsii.Number(999)),
	}).Validate())
}

func TestTheConstructorPanicsWithWhatValidateSays(t *testing.T) {
	message := cdktest.Panics(t, func() { with(&database.PrivateRdsProps{Port: -1}) })
	assert.Equal(t, "database: Database: port must be 1150 to 65535, got -1", message)
}
