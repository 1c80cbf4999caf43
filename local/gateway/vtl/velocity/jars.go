package velocity

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/millrace-cdk/millrace/internal/wholefile"
	"github.com/millrace-cdk/millrace/local/maven"
)

// Version is that of Apache Velocity's engine.
const Version = "2.4.1"

// jar is one archive at Maven Central and its SHA-256.
type jar struct{ path, sum string }

// jars are Velocity, Jayway's JsonPath and what they depend on.
func jars() []jar {
	return []jar{
		{"org/apache/velocity/velocity-engine-core/" + Version + "/velocity-engine-core-" + Version + ".jar", "1c19157d1171d560088e485be97c93a7a2f7e9f56e517f0a30273c5c39df6231"},
		{"org/apache/commons/commons-lang3/3.17.0/commons-lang3-3.17.0.jar", "6ee731df5c8e5a2976a1ca023b6bb320ea8d3539fbe64c8a1d5cb765127c33b4"},
		{"org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar", "d3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0"},
		{"org/slf4j/slf4j-nop/1.7.36/slf4j-nop-1.7.36.jar", "c214958b07816cb4412b30c7bdbd4308ffdc6ba2a83767b8f3a9229cbd9274d6"},
		{"com/jayway/jsonpath/json-path/2.10.0/json-path-2.10.0.jar", "890daa95dd3892d34d9fabc27cd5153656e6f369358625c88f4dc7b79cbd6c5a"},
		{"net/minidev/json-smart/2.6.0/json-smart-2.6.0.jar", "1ae4b561458afb540be8ec5c6dbb4f2e715a319a7ae64854998aaf924770d61b"},
		{"net/minidev/accessors-smart/2.6.0/accessors-smart-2.6.0.jar", "222c9f547bb20a99fc486403a398352d1306fb671b38abd7ecab6401df170e61"},
		{"org/ow2/asm/asm/9.7.1/asm-9.7.1.jar", "8cadd43ac5eb6d09de05faecca38b917a040bb9139c7edeb4cc81c740b713281"},
	}
}

// classPath downloads the jars (some 2 MB) into the user's cache folder, unless they
// are there.
func classPath(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	folder := filepath.Join(cache, "millrace", "jars")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	var files []string
	for _, j := range jars() {
		file := filepath.Join(folder, path.Base(j.path))
		files = append(files, file)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		content, err := maven.Download(ctx, j.path, j.sum)
		if err != nil {
			return "", err
		}
		if err := wholefile.Write(file, content, 0o600); err != nil {
			return "", err
		}
	}
	return strings.Join(files, string(filepath.ListSeparator)), nil
}
