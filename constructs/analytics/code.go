package analytics

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/internal/flinkapp"
)

// code is the archive, as an asset. CDK's hash of a file is one of its content, so that the application is
// updated when a file of it has changed and at no other time.
func (a *StreamAnalytics) code(p *StreamAnalyticsProps) awss3assets.Asset {
	path, err := build(flinkapp.Application{SQL: p.SQL, Connector: p.Connector})
	if err != nil {
		panic(fmt.Errorf("analytics: %s: %w", *a.Node().Path(), err))
	}
	return awss3assets.NewAsset(a, jsii.String("Code"), &awss3assets.AssetProps{Path: &path})
}

// build writes the archive to where it is kept between synths, under its hash, and returns its path.
func build(application flinkapp.Application) (path string, err error) {
	var archive bytes.Buffer
	if _, err := application.WriteTo(&archive); err != nil {
		return "", err
	}
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a folder to keep archives in: %w", err)
	}
	folder := filepath.Join(root, "millrace", "flink")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of archives: %w", err)
	}
	sum := sha256.Sum256(archive.Bytes())
	path = filepath.Join(folder, hex.EncodeToString(sum[:])+".zip")
	// Written on the side and renamed, as another synth may be reading it.
	side, err := os.CreateTemp(folder, "building-*")
	if err != nil {
		return "", fmt.Errorf("making a file for the archive: %w", err)
	}
	_, err = side.Write(archive.Bytes())
	if err := errors.Join(err, side.Close(), os.Chmod(side.Name(), 0o644)); err != nil {
		return "", errors.Join(fmt.Errorf("writing the archive: %w", err), os.Remove(side.Name()))
	}
	if err := os.Rename(side.Name(), path); err != nil {
		return "", fmt.Errorf("keeping the archive: %w", err)
	}
	return path, nil
}

// sayConnector warns of an application that cannot run: the service has no connector to Kinesis of its own.
// https://docs.aws.amazon.com/managed-flink/latest/java/how-flink-connectors.html
func (a *StreamAnalytics) sayConnector(p *StreamAnalyticsProps) {
	if p.Connector != "" || !slices.ContainsFunc(p.Tables, func(t Table) bool { return t.Stream != nil }) {
		return
	}
	awscdk.Annotations_Of(a).AddWarningV2(jsii.String("millrace:flink-connector"), jsii.Sprintf(
		"the archive has no connector to Kinesis, without which the application fails when it is started: "+
			"get flink-sql-connector-aws-kinesis-streams for Flink %s, as docs/analytics.md says, and give its path as Connector", FlinkVersion))
}
