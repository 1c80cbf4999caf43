// Package cloud is the laptop's AWS: an emulator, a real Postgres and the data
// planes that the emulator lacks, started and stopped together, and the real app
// deployed into it. Its state is the folder .millrace of the repository, and
// nothing outside it.
//
// [Up] and [Down] are what the command line calls. Between them one supervisor
// process, [Run], holds everything.
package cloud

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	// Region is the region that everything local is deployed to.
	Region = "eu-west-1"
	// Account is the emulator's account.
	Account = "000000000000"

	// The emulator accepts any credentials.
	accessKeyID     = "test"
	secretAccessKey = "test"
)

// folder is the state folder, .millrace of a repository root.
type folder string

func stateFolder(root string) folder { return folder(filepath.Join(root, ".millrace")) }

func (f folder) path(elements ...string) string {
	return filepath.Join(append([]string{string(f)}, elements...)...)
}

// log is the path of a log file. Logs outlive [Down]: they tell why something ended.
func (f folder) log(name string) string { return f.path("log", name+".log") }

// clear removes all that an environment leaves behind, except for its logs.
func (f folder) clear() error {
	for _, name := range []string{"state.json", "local.env", "postgres", "tmp", "cdk.out"} {
		if err := os.RemoveAll(f.path(name)); err != nil {
			return err
		}
	}
	return nil
}

// config is how a client in this process reaches the emulator.
func config(endpoint string) aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKeyID, secretAccessKey, ""),
	}
}

// environ is what a child that talks to the emulator gets: the user's
// environment without anything that leads to a real account or through a proxy.
func environ(endpoint string, more ...string) []string {
	kept := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "AWS_") || strings.HasPrefix(variable, "CDK_")
	})
	return append(append(kept,
		"AWS_ENDPOINT_URL="+endpoint,
		"AWS_REGION="+Region,
		"AWS_DEFAULT_REGION="+Region,
		"AWS_ACCESS_KEY_ID="+accessKeyID,
		"AWS_SECRET_ACCESS_KEY="+secretAccessKey,
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"NO_PROXY=localhost,127.0.0.1",
		"no_proxy=localhost,127.0.0.1",
	), more...)
}
