// Package maven downloads archives from Maven Central whose checksums we know.
package maven

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
)

const repository = "https://repo1.maven.org/maven2/"

// Download returns the archive at path, such as org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar,
// if its SHA-256 is sum (in hexadecimal): the server is not trusted.
func Download(ctx context.Context, path, sum string) ([]byte, error) {
	url := repository + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("downloading (needed once; HTTPS_PROXY is honoured): %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("downloading %s: status %s", url, response.Status)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w", url, err)
	}
	if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("downloading %s: its SHA-256 is %x, %s is expected", url, got, sum)
	}
	return body, nil
}
