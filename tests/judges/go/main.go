// Judges a folder of certificates and CRLs: `judge verify DIR` with Go's crypto/x509, `judge lint DIR` with zlint.
//
// verify reads DIR/cases.tsv and prints a line `case TAB verdict` for each; lint prints a line
// `file TAB linter TAB code TAB severity` for each finding above info, and `file TAB` for each file read.
package main

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	switch dir := os.Args[2]; os.Args[1] {
	case "verify":
		verifyAll(out, dir)
	case "lint":
		lintAll(out, dir)
	}
}

func read(dir, name string) []byte {
	bytes, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		panic(err)
	}
	return bytes
}

func verifyAll(out *bufio.Writer, dir string) {
	for _, line := range strings.Split(strings.TrimSpace(string(read(dir, "cases.tsv"))), "\n") {
		fields := strings.Split(line, "\t")
		verdict := "ok"
		if err := verify(dir, fields); err != nil {
			verdict = strings.Join(strings.Fields(err.Error()), " ")
		}
		fmt.Fprintf(out, "%s\t%s\n", fields[0], verdict)
	}
}

// verify judges the line: name, instant, root, intermediates, leaf, CRL.
func verify(dir string, fields []string) error {
	seconds, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(read(dir, fields[2]))
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(read(dir, fields[4]))
	if err != nil {
		return err
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	issuer := root
	for _, name := range strings.Split(fields[3], ",") {
		intermediate, err := x509.ParseCertificate(read(dir, name))
		if err != nil {
			return err
		}
		intermediates.AddCert(intermediate)
		issuer = intermediate
	}
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		CurrentTime:   time.Unix(seconds, 0),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil || fields[5] == "-" {
		return err
	}
	crl, err := x509.ParseRevocationList(read(dir, fields[5]))
	if err != nil {
		return err
	}
	if err := crl.CheckSignatureFrom(issuer); err != nil {
		return err
	}
	for _, entry := range crl.RevokedCertificateEntries {
		if entry.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
			return fmt.Errorf("revoked")
		}
	}
	return nil
}

func lintAll(out *bufio.Writer, dir string) {
	names, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	for _, entry := range names {
		name := entry.Name()
		var results *zlint.ResultSet
		switch filepath.Ext(name) {
		case ".crt":
			certificate, err := zx509.ParseCertificate(read(dir, name))
			if err != nil {
				fmt.Fprintf(out, "%s\tzlint\tunreadable: %v\terror\n", name, err)
				continue
			}
			results = zlint.LintCertificate(certificate)
		case ".crl":
			crl, err := zx509.ParseRevocationList(read(dir, name))
			if err != nil {
				fmt.Fprintf(out, "%s\tzlint\tunreadable: %v\terror\n", name, err)
				continue
			}
			results = zlint.LintRevocationList(crl)
		default:
			continue
		}
		fmt.Fprintf(out, "%s\t\n", name)
		var found []string
		for code, result := range results.Results {
			if result.Status > lint.Notice {
				found = append(found, fmt.Sprintf("%s\tzlint\t%s\t%s\n", name, code, result.Status))
			}
		}
		sort.Strings(found)
		for _, line := range found {
			out.WriteString(line)
		}
	}
}
