package postgres

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/xi2/xz"

	"github.com/millrace-cdk/millrace/local/maven"
)

// Version is the Postgres that runs on the laptop.
const Version = "17.11.0"

// group is the Maven group of the archives.
const group = "io/zonky/test/postgres/"

// checksum is the SHA-256 of the archive for one platform. The archives are
// those that fergusstrange/embedded-postgres runs; it has no way to fetch them
// without also starting Postgres as the current user and without TLS, and it
// trusts whatever the server sends.
func checksum(platform string) (string, error) {
	sums := map[string]string{
		"linux-amd64":        "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d",
		"linux-amd64-alpine": "ace9a6f95b1c98ce84c9841267cd04ebee5d7de5dc7b8fea148ead44f145afbd",
		"linux-arm64v8":      "8b042e0ea418b1927d95399207950da0734d27fe01e29503ade3bdc464ad4c2b",
		"darwin-amd64":       "d464ff178e9860ba204662ac23fa547504b7fd392392ff2fb92e3fd73b5bdb64",
		"darwin-arm64v8":     "a1c2786acb0c398f9b2d76806fc52f5dc8b222cbc8e9383a9b9702084daaf3a5",
	}
	sum, known := sums[platform]
	if !known {
		return "", fmt.Errorf("no Postgres %s binaries are published for %s", Version, platform)
	}
	return sum, nil
}

func platform() string {
	name := runtime.GOOS + "-" + runtime.GOARCH
	if runtime.GOARCH == "arm64" {
		name += "v8"
	}
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		name += "-alpine" // musl instead of glibc
	}
	return name
}

// Installed says whether the binaries are in the user's cache folder.
func Installed() bool {
	folder, err := home()
	return err == nil && whole(folder)
}

func home() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	return filepath.Join(cache, "millrace", "postgres-"+Version+"-"+platform()), nil
}

func whole(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "bin", "postgres"))
	return err == nil
}

// Install downloads the binaries (some 15 MB) into the user's cache folder,
// unless they are there, and returns the folder that holds bin/postgres.
func Install(ctx context.Context) (string, error) {
	folder, err := home()
	if err != nil || whole(folder) {
		return folder, err
	}
	name := platform()
	sum, err := checksum(name)
	if err != nil {
		return "", err
	}
	jar, err := maven.Download(ctx, group+"embedded-postgres-binaries-"+name+"/"+Version+"/embedded-postgres-binaries-"+name+"-"+Version+".jar", sum)
	if err != nil {
		return "", fmt.Errorf("installing Postgres %s: %w", Version, err)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(folder), ".postgres-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	if err := errors.Join(os.Chmod(fresh, 0o755), unpack(jar, fresh)); err != nil {
		return "", fmt.Errorf("unpacking Postgres %s: %w", Version, err)
	}
	// One rename, so that a folder by this name is always whole. It fails when
	// another process was faster, and then its folder is as good.
	if err := os.Rename(fresh, folder); err != nil && !whole(folder) {
		return "", err
	}
	return folder, nil
}

// unpack writes the one .txz inside jar to folder.
func unpack(jar []byte, folder string) error {
	archive, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		return err
	}
	for _, entry := range archive.File {
		if !strings.HasSuffix(entry.Name, ".txz") {
			continue
		}
		packed, err := entry.Open()
		if err != nil {
			return err
		}
		plain, err := xz.NewReader(packed, 0)
		if err != nil {
			return err
		}
		return errors.Join(untar(tar.NewReader(plain), folder), packed.Close())
	}
	return errors.New("the archive holds no .txz file")
}

func untar(archive *tar.Reader, folder string) error {
	root, err := os.OpenRoot(folder) // nothing is written outside it
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(header.Name)
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = root.Symlink(header.Linkname, name)
		case tar.TypeReg:
			err = extract(root, name, header.FileInfo().Mode().Perm(), archive)
		}
		if err != nil {
			return err
		}
	}
}

func extract(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
